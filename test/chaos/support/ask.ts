import { setTimeout as delay } from 'node:timers/promises';

const RETRY_MS = 200;

/** The same key in each try: what was accepted is not accepted twice. */
export async function ask(
  url: string,
  key: string,
  signal: AbortSignal,
  body?: object,
): Promise<Record<string, unknown>> {
  const init = body && {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
  };
  for (;;) {
    try {
      const answer = await fetch(url, { signal, ...init });
      if (answer.ok) return (await answer.json()) as Record<string, unknown>;
      if (answer.status < 500) throw new Refused(`${url}: ${await answer.text()}`);
    } catch (error) {
      if (error instanceof Refused || signal.aborted) throw error;
    }
    await delay(RETRY_MS);
  }
}

/** It was understood, and asking again would not help. */
export class Refused extends Error {}
