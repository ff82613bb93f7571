import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';

export const ROOT = new URL('../../', import.meta.url);

export const read = (path: string): Promise<string> => readFile(new URL(path, ROOT), 'utf8');

type Condition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

export interface Service {
  image?: string;
  build?: string | { context: string; dockerfile?: string };
  user?: string;
  privileged?: boolean;
  read_only?: boolean;
  network_mode?: string;
  stop_grace_period?: string;
  profiles?: string[];
  cap_drop?: string[];
  security_opt?: string[];
  command?: string[];
  deploy?: { replicas: number };
  environment?: Record<string, string>;
  configs?: { source: string; target: string }[];
  depends_on?: Record<string, { condition: Condition; required?: boolean }>;
  healthcheck?: { test: string[] };
  networks?: string[];
  ports?: string[];
  volumes?: string[];
}

export interface ComposeFile {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean }>;
  volumes: Record<string, object>;
  configs: Record<string, { content: string }>;
}

/** docker-compose.yml with its anchors and merges resolved, and its variables as they stand. */
export async function readComposeFile(): Promise<{ text: string; file: ComposeFile }> {
  const text = await read('docker-compose.yml');
  return { text, file: parse(text, { merge: true }) as ComposeFile };
}

/** The blocks of one language in a document. */
export async function codeBlocks(path: string, language: string): Promise<string[]> {
  const blocks = (await read(path)).matchAll(
    new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'),
  );
  return [...blocks].map(([, code = '']) => code);
}

interface Instruction {
  instruction: string;
  rest: string;
}

export const readDockerfile = async () => parseDockerfile(await read('Dockerfile'));

/** Instructions in order, with continued lines joined. */
export function parseDockerfile(source: string): Instruction[] {
  const text = source.replace(/^#.*\n/gm, '').replace(/\\\n/g, ' ');
  return [...text.matchAll(/^([A-Z]+)\s+(.*)$/gm)].map(([, instruction = '', rest = '']) => ({
    instruction,
    rest: rest.trim(),
  }));
}

/** What follows an instruction, each time it is there. */
export async function allOf(instruction: string): Promise<string[]> {
  const lines = await readDockerfile();
  return lines.filter((line) => line.instruction === instruction).map(({ rest }) => rest);
}
