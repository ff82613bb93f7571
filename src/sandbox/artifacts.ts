import type { SandboxFile, SandboxLimits, SandboxResult } from '../contracts/sandbox.ts';
import { nameMistake, shownName } from './names.ts';

/** An entry of the working folder, as it was found after the code had ended. Nothing about it is trusted. */
export interface Found {
  name: string;
  kind: 'file' | 'link' | 'folder' | 'other';
  bytes: number;
  /** All `bytes` of it, or null when they cannot be had. Called only for a plain file that may come out. */
  read(): Promise<Uint8Array | null>;
}

export interface Acceptance {
  limits: Pick<SandboxLimits, 'artifacts' | 'artifactBytes'>;
  /** What was put in: it comes out only when it was changed. */
  given: SandboxFile[];
  /** Entries that there are beside those found. */
  unlisted?: number;
}

type Refusal = SandboxResult['refused'][number];

/** Refusals told one by one; the rest is counted. */
const MAX_REFUSED = 50;

const KINDS = { link: 'is a link', folder: 'is a folder', other: 'is no plain file' } as const;

/** What comes out of a working folder: new and changed plain files, in the order of their names, up to the limits. */
export async function acceptArtifacts(
  found: Iterable<Found>,
  { limits, given, unlisted = 0 }: Acceptance,
): Promise<{ artifacts: SandboxFile[]; refused: Refusal[] }> {
  const inputs = new Map(given.map(({ name, content }) => [name, content]));
  const artifacts: SandboxFile[] = [];
  const refused: Refusal[] = [];
  for (const entry of [...found].sort(byName)) {
    const reason = await take(entry, inputs.get(entry.name), artifacts, limits);
    if (reason !== null) refused.push({ name: entry.name, reason });
  }
  return { artifacts, refused: shortened(refused, unlisted) };
}

/** Adds the entry to the artifacts, unless it is an unchanged input; answers why it was refused, or null. */
async function take(
  entry: Found,
  input: Uint8Array | undefined,
  artifacts: SandboxFile[],
  limits: Acceptance['limits'],
): Promise<string | null> {
  const { name, kind, bytes } = entry;
  const mistake = kind === 'file' ? nameMistake(name) : KINDS[kind];
  if (mistake !== null) return mistake;
  if (artifacts.some((artifact) => artifact.name === name)) return 'is there twice';
  const excess = excessOf(bytes, artifacts, limits);
  if (excess !== null && input?.byteLength !== bytes) return excess;
  const content = await entry.read();
  if (content?.byteLength !== bytes) return 'cannot be read';
  if (input && Buffer.compare(input, content) === 0) return null;
  if (excess === null) artifacts.push({ name, content });
  return excess;
}

function excessOf(
  bytes: number,
  artifacts: SandboxFile[],
  limits: Acceptance['limits'],
): string | null {
  if (artifacts.length >= limits.artifacts) return `comes after the first ${limits.artifacts}`;
  const taken = artifacts.reduce((total, { content }) => total + content.byteLength, 0);
  if (taken + bytes <= limits.artifactBytes) return null;
  return `is more than fits into the ${limits.artifactBytes} bytes that may come out`;
}

function byName(a: Found, b: Found): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function shortened(refused: Refusal[], unlisted: number): Refusal[] {
  const told = refused.slice(0, MAX_REFUSED);
  const rest = refused.length - told.length + unlisted;
  const shown = told.map(({ name, reason }) => ({ name: shownName(name), reason }));
  return rest === 0 ? shown : [...shown, { name: '…', reason: `and ${rest} more` }];
}
