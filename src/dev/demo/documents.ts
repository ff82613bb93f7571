import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { TurnkeeperError } from '../../contracts/errors.ts';
import { listNames, reasonOf } from '../services/messages.ts';

const TEXT_ENDINGS = ['.md', '.markdown', '.txt'];

export interface DocumentFile {
  /** The path below the folder; parts joined without separators, as names of documents must be. */
  name: string;
  content: Uint8Array;
}

export interface DocumentFolder {
  path: string;
  files: DocumentFile[];
  /** Names of files that are not text, or cannot be read. */
  skipped: string[];
}

/**
 * Reads all text and Markdown files below a folder, in order of their names; hidden ones and `node_modules` are left
 * out. Throws `invalid_request` when there is no such folder, and when it holds nothing to read.
 */
export async function readDocuments(path: string): Promise<DocumentFolder> {
  const folder: DocumentFolder = { path, files: [], skipped: [] };
  for (const below of await listFiles(path)) {
    const name = below.split(sep).join(' › ');
    const content = await readText(join(path, below));
    if (content) folder.files.push({ name, content });
    else folder.skipped.push(name);
  }
  if (folder.files.length > 0) return folder;
  const others = folder.skipped.length === 0 ? '' : `, only ${listNames(folder.skipped)}`;
  throw new TurnkeeperError(
    'invalid_request',
    `The folder ${path} holds no ${TEXT_ENDINGS.join(', ')} file${others}.`,
  );
}

async function listFiles(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { recursive: true });
    const shown = entries.filter((entry) => !entry.split(sep).some(isHidden)).sort();
    const files = await Promise.all(shown.map((entry) => isFile(join(path, entry))));
    return shown.filter((_, index) => files[index]);
  } catch (error) {
    throw new TurnkeeperError(
      'invalid_request',
      `--docs names ${path}, which is no folder to read: ${reasonOf(error)}.`,
    );
  }
}

function isHidden(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules';
}

/** Follows links to files; what is gone or out of bounds is no file. */
async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Null for what is not text by its name, and for what cannot be read. */
async function readText(path: string): Promise<Uint8Array | null> {
  if (!TEXT_ENDINGS.includes(extname(path).toLowerCase())) return null;
  return readFile(path).catch(() => null);
}

/** The same files, indexed in the same way, are the same knowledge base: another run on the same data finds it. */
export function baseName(files: DocumentFile[], embeddings: string): string {
  const hash = createHash('sha256').update(embeddings);
  for (const { name, content } of files)
    hash.update(`\n${name}\n${content.byteLength}\n`).update(content);
  return `demo-${hash.digest('hex').slice(0, 16)}`;
}
