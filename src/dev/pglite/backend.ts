/** Messages of the backend half of PostgreSQL's wire protocol that the server itself writes. */

export function message(type: string, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([header, body]);
}

/** ErrorResponse of severity FATAL; `code` is an SQLSTATE. */
export function fatal(code: string, text: string): Buffer {
  return message('E', Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${text}\0\0`));
}

export const ENCRYPTION_REFUSED = Buffer.from('N');

/** Messages that a client would send, for the server's own use of the session. */
export const SYNC = message('S', Buffer.alloc(0));

/**
 * Follows every simple query: PostgreSQL ignores it, except in the middle of COPY FROM STDIN, where PGlite would find no
 * more input and exit.
 */
export const COPY_FAIL = message('f', Buffer.from('not served by the embedded database\0'));

/** Close, of a prepared statement. */
export function closeStatement(name: string): Buffer {
  return message('C', Buffer.from(`S${name}\0`));
}

export function simpleQuery(sql: string): Buffer {
  return message('Q', Buffer.from(`${sql}\0`));
}

/** StartupMessage of protocol 3.0. */
export function startup(user: string, database: string): Buffer {
  const body = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
  const header = Buffer.alloc(8);
  header.writeUInt32BE(8 + body.length, 0);
  header.writeUInt32BE(196608, 4);
  return Buffer.concat([header, body]);
}

/** Whether the output of a finished request ends with ReadyForQuery, as it must. */
export function endsReady(output: Buffer): boolean {
  const at = output.length - 6;
  return at >= 0 && output[at] === 'Z'.charCodeAt(0) && output.readUInt32BE(at + 1) === 5;
}
