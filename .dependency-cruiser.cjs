/**
 * Who may import what. docs/architecture.md shows the same table, one row a rule; test/unit/imports.test.ts plants a
 * violation of each. Change rule, table and reason together.
 */

/** Rooms with the packages of their own vendors. */
const ROOMS = {
  contracts: {},
  conversation: {
    may: ['contracts/'],
    packages: ['gpt-tokenizer', '@pydantic/genai-prices', 'uuid'],
  },
  workflows: {
    may: ['contracts/', 'conversation/loop\\.ts'],
    packages: ['@temporalio/workflow', '@temporalio/common'],
  },
  activities: {
    may: ['contracts/', 'conversation/', 'recovery/'],
    packages: ['@temporalio/activity', '@temporalio/common'],
    node: true,
  },
  store: { may: ['contracts/', 'conversation/'], packages: ['pg', 'uuid'], node: true },
  model: {
    may: ['contracts/', 'conversation/'],
    packages: ['openai', '@huggingface/transformers'],
    node: true,
  },
  retrieval: {
    may: ['contracts/', 'conversation/'],
    packages: ['pg', '@qdrant/js-client-rest', 'uuid'],
    node: true,
  },
  sandbox: {
    may: ['contracts/', 'conversation/'],
    packages: ['dockerode'],
    node: true,
  },
  'json-schema': {
    may: ['contracts/'],
    packages: ['ajv', 'ajv-formats', 're2js'],
    node: true,
  },
  tools: { may: ['contracts/', 'conversation/', 'json-schema/'], node: true },
  telemetry: {
    may: ['contracts/', 'conversation/'],
    packages: ['@temporalio/worker', 'prom-client'],
    node: true,
  },
  encryption: {
    may: ['contracts/'],
    packages: ['@temporalio/common', '@temporalio/workflow'],
    node: true,
  },
  commands: { may: ['contracts/', 'client/'], packages: ['commander'], node: true },
  recovery: { may: ['contracts/'], node: true },
  gateway: {
    may: ['contracts/', 'conversation/', 'client/'],
    packages: ['fastify', '@fastify', '@sinclair/typebox', 'ajv'],
    node: true,
  },
  client: {
    may: ['contracts/', 'conversation/', 'json-schema/', 'recovery/'],
    packages: ['@temporalio/client', '@temporalio/common', 'canonicalize'],
    node: true,
  },
};

function roomRule([room, { may = [], packages = [], node = false }]) {
  const files = [`${room}/`, ...may].map((path) => `^src/${path}`);
  const names = packages.map((name) => `(^|/)node_modules/(@types/)?${name}/`);
  return {
    name: room,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: {
      pathNot: [...files, ...names],
      ...(node && { dependencyTypesNot: ['core'] }),
    },
  };
}

module.exports = {
  forbidden: [
    ...Object.entries(ROOMS).map(roomRule),
    {
      name: 'loop',
      comment: 'Workflow code outside workflows/: nothing but contracts gets in.',
      severity: 'error',
      from: { path: '^src/conversation/loop\\.ts$' },
      to: { pathNot: '^src/contracts/' },
    },
    {
      name: 'config',
      comment: 'Knows settings, not the parts they go to.',
      severity: 'error',
      from: { path: '^src/config(/|\\.ts$)' },
      to: {
        pathNot: [
          '^src/(config/|contracts/|conversation/limits\\.ts)',
          '(^|/)node_modules/@temporalio/envconfig/',
        ],
        dependencyTypesNot: ['core'],
      },
    },
    {
      name: 'dev-stays-home',
      comment: 'What makes a laptop enough is not part of production.',
      severity: 'error',
      from: { pathNot: '^(src/(dev/|(worker|server|cli|index)\\.ts$)|test/|scripts/|bench/)' },
      to: { path: '^src/dev/' },
    },
    {
      name: 'test-stays-home',
      severity: 'error',
      from: { pathNot: '^(test|scripts|bench)/' },
      to: { path: '^test/' },
    },
    {
      name: 'temporal-client',
      comment: 'One room talks to Temporal as a client; the others use its port, TurnStarter.',
      severity: 'error',
      from: { pathNot: '^(src/(client/|dev/|compose\\.ts$)|test/|scripts/|bench/)' },
      to: { path: '(^|/)node_modules/@temporalio/client/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-dev-dependencies',
      comment: 'They are not there when the package is installed.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/dev/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm-peer', 'type-only'] },
    },
    {
      name: 'no-unknown-modules',
      comment: 'What cannot be resolved escapes every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default', 'require'],
    },
  },
};
