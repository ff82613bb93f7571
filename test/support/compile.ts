import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Beside the packages, so that imports of them resolve. */
const CACHE = join(ROOT, 'node_modules', '.cache');
/** What processes of tests run, and what they read beside. */
const COMPILED = ['src', 'test/support', 'test/chaos'];
const READ = ['docker', 'examples'];
const VARIABLE = 'TEST_COMPILED';

/**
 * Compiles the sources and the scripts of tests once for a run: a process that loads them through tsx takes two
 * seconds of processor time longer, and hundreds are started. Answers how to remove it.
 */
export async function compileSources(): Promise<() => Promise<void>> {
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, 'turnkeeper-tests-'));
  // The supervisor of sandboxes is read by a user who is nobody.
  await chmod(folder, 0o755);
  for (const part of COMPILED) await compileFolder(join(ROOT, part), folder);
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
  for (const part of READ) await symlink(join(ROOT, part), join(folder, part));
  process.env[VARIABLE] = folder;
  return () => rm(folder, { recursive: true, force: true });
}

/** The script as a process is to run it: compiled where that was done, else the source itself. */
export function runnable(source: URL): URL {
  const folder = process.env[VARIABLE];
  if (folder === undefined) return source;
  return pathToFileURL(compiledPath(fileURLToPath(source), folder));
}

async function compileFolder(source: string, folder: string): Promise<void> {
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  await Promise.all(files.map((file) => compileFile(join(file.parentPath, file.name), folder)));
}

async function compileFile(file: string, folder: string): Promise<void> {
  const target = compiledPath(file, folder);
  await mkdir(dirname(target), { recursive: true });
  if (!file.endsWith('.ts')) return cp(file, target);
  await writeFile(target, compiled(await readFile(file, 'utf8')));
}

function compiledPath(file: string, folder: string): string {
  return join(folder, relative(ROOT, file)).replace(/\.ts$/, '.js');
}

function compiled(source: string): string {
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2023,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  return outputText;
}
