import { closeStatement, message, SYNC } from './backend.ts';

const HEADER = 5;
const STATEMENT = 'S'.charCodeAt(0);

/**
 * Gives a connection names of its own for its prepared statements. The session is everybody's: under the same name
 * another connection may have prepared something else.
 */
export class OwnStatements {
  readonly #prefix: string;
  readonly #parsed = new Set<string>();

  constructor(connection: number) {
    this.#prefix = `${connection}:`;
  }

  /** The message, with the name it gives to a statement made this connection's own. */
  rename(frame: Buffer): Buffer {
    const at = nameAt(frame);
    if (at === null || frame[at] === 0) return frame;
    const type = String.fromCharCode(frame[0] ?? 0);
    const name = this.#prefix + frame.toString('utf8', at, frame.indexOf(0, at));
    if (type === 'P') this.#parsed.add(name);
    if (type === 'C') this.#parsed.delete(name);
    const before = frame.subarray(HEADER, at);
    return message(type, Buffer.concat([before, Buffer.from(this.#prefix), frame.subarray(at)]));
  }

  /** What makes the session forget them; null when there are none. */
  farewell(): Buffer | null {
    if (this.#parsed.size === 0) return null;
    return Buffer.concat([...[...this.#parsed].map(closeStatement), SYNC]);
  }
}

/** Where the name of a statement stands in Parse, Bind, Describe and Close; null in other messages. */
function nameAt(frame: Buffer): number | null {
  switch (String.fromCharCode(frame[0] ?? 0)) {
    case 'P':
      return HEADER;
    case 'B':
      // Behind the name of the portal.
      return frame.indexOf(0, HEADER) + 1;
    case 'D':
    case 'C':
      return frame[HEADER] === STATEMENT ? HEADER + 1 : null;
    default:
      return null;
  }
}
