const PATIENCE_MS = 5_000;

/** What a server that is asked for something cheap says of itself. */
export type Probe = 'answers' | 'refuses the key' | 'fails' | 'does not answer';

/** Whether an HTTP server answers, and takes the key. That it knows no such path is an answer too. */
export async function probe(url: string, headers: Record<string, string>): Promise<Probe> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    await response.body?.cancel();
    if (response.status === 401 || response.status === 403) return 'refuses the key';
    return response.status >= 500 ? 'fails' : 'answers';
  } catch {
    return 'does not answer';
  }
}
