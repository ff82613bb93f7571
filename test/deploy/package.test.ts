import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { read, ROOT } from './compose-file.ts';

interface Package {
  version: string;
  main: string;
  types: string;
  exports: Record<string, { types: string; default: string }>;
  bin: Record<string, string>;
  files: string[];
  scripts: Record<string, string>;
}

describe('the package', () => {
  let manifest: Package;
  beforeAll(async () => {
    manifest = JSON.parse(await read('package.json')) as Package;
  });

  it('is built whenever it is packed, for git has no build', async () => {
    expect(manifest.scripts).toMatchObject({ prepack: 'npm run build' });
    expect((await read('.gitignore')).split('\n')).toContain('dist/');
  });

  it('has what its entries name', () => {
    const { main, types, exports, bin, files } = manifest;
    const entries = [
      main,
      types,
      ...Object.values(exports).flatMap((entry) => Object.values(entry)),
    ];
    for (const entry of [...entries, ...Object.values(bin)]) {
      const path = entry.replace(/^\.\//, '');
      expect(files).toContain(path.split('/')[0]);
      const source = path.replace(/^dist\//, 'src/').replace(/(\.d\.ts|\.js)$/, '.ts');
      expect(existsSync(new URL(source, ROOT)), source).toBe(true);
    }
  });

  it('is installed as the README says', async () => {
    const [, tarball] = /npm install \S*?(turnkeeper-\S+\.tgz)/.exec(await read('README.md')) ?? [];
    expect(tarball).toBe(`turnkeeper-${manifest.version}.tgz`);
  });
});
