import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Settings are read in one place; everybody else is given values. */
const environment = {
  object: 'process',
  property: 'env',
  message: 'Only src/config.ts reads the environment.',
};

export default defineConfig(
  // The peers' packages are installed by `npm run bench` alone.
  globalIgnores(['dist/', '**/node_modules/', '.turnkeeper/', '.cache/', 'types/', 'bench/']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // A promise nobody waits for is work that a restart forgets.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // An empty string is no answer either.
      '@typescript-eslint/prefer-nullish-coalescing': [
        'error',
        { ignorePrimitives: { string: true } },
      ],
      // `item['type']` says that the key is data, `String(item['id'])` that the value is anybody's.
      '@typescript-eslint/dot-notation': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      // A Record cannot refer to itself, as JSON does.
      '@typescript-eslint/consistent-indexed-object-style': 'off',
      // Asks for the `!` that another rule forbids.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      'no-restricted-properties': ['error', environment],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/config.ts', '*.config.ts', 'scripts/**', 'examples/**'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: ['test/**'],
    rules: {
      'no-restricted-properties': 'off',
      // Stand-ins for ports are async because the port is.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['src/dev/**', 'scripts/**', 'test/**', 'examples/**'],
    rules: {
      'no-console': 'off',
      // Objects here are closures: their methods know no `this`.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // Runs in browsers; tsconfig.console.json knows what they have.
    files: ['src/gateway/console/**'],
    rules: { 'no-undef': 'off' },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { module: 'writable' } },
  },
);
