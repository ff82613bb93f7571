import type { JsonObject } from '../contracts/json.ts';
import type { SandboxResult } from '../contracts/sandbox.ts';
import type { FileRecord } from '../contracts/store.ts';
import { MAX_TOOL_OUTPUT_CHARACTERS } from '../contracts/tools.ts';

/** What the model is told of a run; what was printed is cut where all together would be more than it may read. */
export function codeOutput(result: SandboxResult, artifacts: FileRecord[]): JsonObject {
  const { exitCode, limit, truncated, refused } = result;
  const output = {
    stdout: '',
    stderr: '',
    exit_code: exitCode,
    limit,
    truncated,
    artifacts: artifacts.map(artifactOutput),
    refused,
  };
  const room = MAX_TOOL_OUTPUT_CHARACTERS - JSON.stringify(output).length;
  const printed = cutToRoom(result, room);
  const cut = printed.stdout !== result.stdout || printed.stderr !== result.stderr;
  return { ...output, ...printed, truncated: truncated || cut };
}

function artifactOutput({ id, name, bytes, mediaType }: FileRecord): JsonObject {
  return { name, file_id: id, bytes, media_type: mediaType };
}

/** Each has half of the room at least, and what the other one leaves. */
function cutToRoom(
  { stdout, stderr }: SandboxResult,
  room: number,
): { stdout: string; stderr: string } {
  const errors = cut(stderr, Math.max(Math.floor(room / 2), room - jsonLength(stdout)));
  return { stdout: cut(stdout, room - jsonLength(errors)), stderr: errors };
}

/** As much of a text, from its start, as has at most so many characters in JSON. */
function cut(text: string, room: number): string {
  if (jsonLength(text) <= room) return text;
  let length = 0;
  let end = 0;
  for (const character of text) {
    length += jsonLength(character);
    if (length > room) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** Without its quotes: a control character takes six. */
function jsonLength(text: string): number {
  return JSON.stringify(text).length - 2;
}
