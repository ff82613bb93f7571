import { COPY_FAIL } from './backend.ts';
import type { OwnStatements } from './statements.ts';

/** What a client asked for, cut so that each unit can run without another client's messages in between. */
export type FrontendEvent =
  | { kind: 'encryption' }
  | { kind: 'startup' }
  | { kind: 'terminate' }
  /** `synced` is false for a unit that ends with Flush: the client has not finished its request. */
  | { kind: 'unit'; bytes: Buffer; synced: boolean };

const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;
const STARTUP_HEADER = 8;
const MESSAGE_HEADER = 5;
const SSL_REQUEST = 80877103;
const GSSENC_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;

/**
 * Parses the frontend half of PostgreSQL's wire protocol (version 3). Parse, Bind, Describe and Execute share unnamed
 * objects of the session until Sync, so they are held back and handed over together.
 */
export class FrontendParser {
  readonly #statements: OwnStatements;
  #pieces: Buffer[] = [];
  #length = 0;
  #wanted = 0;
  #started = false;
  #unit: Buffer[] = [];

  constructor(statements: OwnStatements) {
    this.#statements = statements;
  }

  /** Throws when the bytes cannot be PostgreSQL's protocol. */
  push(data: Buffer): FrontendEvent[] {
    this.#pieces.push(data);
    this.#length += data.length;
    return this.#length < this.#wanted ? [] : this.#parse(Buffer.concat(this.#pieces));
  }

  #parse(buffer: Buffer): FrontendEvent[] {
    const events: FrontendEvent[] = [];
    let at = 0;
    let size = this.#sizeAt(buffer, at);
    while (at + size <= buffer.length) {
      const event = this.#read(buffer.subarray(at, at + size));
      if (event) events.push(event);
      at += size;
      size = this.#sizeAt(buffer, at);
    }
    this.#pieces = [buffer.subarray(at)];
    this.#length = buffer.length - at;
    this.#wanted = size;
    return events;
  }

  /** Size of the message that begins at `at`, or of its header when that has not come yet. */
  #sizeAt(buffer: Buffer, at: number): number {
    const header = this.#started ? MESSAGE_HEADER : STARTUP_HEADER;
    if (buffer.length - at < header) return header;
    const size = this.#started ? 1 + buffer.readUInt32BE(at + 1) : buffer.readUInt32BE(at);
    if (size < header || size > MAX_MESSAGE_BYTES) {
      throw new Error(`A message of ${size} bytes is not PostgreSQL's protocol.`);
    }
    return size;
  }

  #read(message: Buffer): FrontendEvent | null {
    return this.#started ? this.#readMessage(message) : this.#readStartup(message);
  }

  #readStartup(message: Buffer): FrontendEvent {
    const code = message.readUInt32BE(4);
    if (code === SSL_REQUEST || code === GSSENC_REQUEST) return { kind: 'encryption' };
    if (code === CANCEL_REQUEST) return { kind: 'terminate' };
    if (code >>> 16 !== 3) throw new Error(`Protocol version ${code >>> 16} is not served.`);
    this.#started = true;
    return { kind: 'startup' };
  }

  #readMessage(message: Buffer): FrontendEvent | null {
    const type = String.fromCharCode(message[0] ?? 0);
    if (type === 'X') return { kind: 'terminate' };
    this.#unit.push(this.#statements.rename(message));
    if (type === 'Q') this.#unit.push(COPY_FAIL);
    if (!'QSFH'.includes(type)) return null;
    const bytes = Buffer.concat(this.#unit);
    this.#unit = [];
    return { kind: 'unit', bytes, synced: type !== 'H' };
  }
}
