import type pg from 'pg';
import type { ChatMessage } from './model-call.ts';

/** The table of messages of contestants that have no conversations of their own. */
export async function createMessages(pool: pg.Pool): Promise<void> {
  await pool.query(
    `CREATE TABLE messages (
       conversation uuid NOT NULL,
       position     bigint GENERATED ALWAYS AS IDENTITY,
       role         text NOT NULL,
       content      text NOT NULL,
       PRIMARY KEY (conversation, position)
     )`,
  );
}

/** Adds the user's message and reads the conversation, in one transaction. */
export async function loadWith(
  pool: pg.Pool,
  conversation: string,
  text: string,
): Promise<ChatMessage[]> {
  return await transaction(pool, async (client) => {
    await insert(client, conversation, { role: 'user', content: text });
    const { rows } = await client.query<ChatMessage>(
      'SELECT role, content FROM messages WHERE conversation = $1 ORDER BY position',
      [conversation],
    );
    return rows;
  });
}

export async function saveAnswer(
  pool: pg.Pool,
  conversation: string,
  content: string,
): Promise<void> {
  await transaction(pool, (client) => insert(client, conversation, { role: 'assistant', content }));
}

async function insert(
  client: pg.PoolClient,
  conversation: string,
  { role, content }: ChatMessage,
): Promise<void> {
  await client.query('INSERT INTO messages (conversation, role, content) VALUES ($1, $2, $3)', [
    conversation,
    role,
    content,
  ]);
}

async function transaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } finally {
    client.release();
  }
}
