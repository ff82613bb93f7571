import type { SandboxLanguage } from '../contracts/sandbox.ts';

interface Language {
  /** The file that holds the code. It is kept outside the working folder. */
  fileName: string;
  /** What runs it; the path of the file is appended. */
  command: readonly string[];
}

/** Models write both `require` and `import`: an ES module to which `require` is given has both. */
const GIVE_REQUIRE =
  'data:text/javascript,import{createRequire}from"node:module";' +
  'globalThis.require=createRequire(process.cwd()+"/")';

const LANGUAGES: Record<SandboxLanguage, Language> = {
  python: { fileName: 'main.py', command: ['python3', '-B'] },
  javascript: { fileName: 'main.mjs', command: ['node', '--import', GIVE_REQUIRE] },
  bash: { fileName: 'main.sh', command: ['bash'] },
};

export const LANGUAGE_NAMES = Object.keys(LANGUAGES) as SandboxLanguage[];

export function isLanguage(name: string): name is SandboxLanguage {
  return Object.hasOwn(LANGUAGES, name);
}

export function languageOf(name: SandboxLanguage): Language {
  return LANGUAGES[name];
}
