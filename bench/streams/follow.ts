/** One delta as its reader got it, epoch milliseconds. */
export interface Arrival {
  /** Event number; null behind the plain proxy. */
  number: number | null;
  /** When the model sent it, which it says in its text. */
  sentAt: number;
  arrivedAt: number;
}

/** Reads a stream of Server-Sent Events to its end. Cheap, for hundreds of them are read in one process. */
export async function follow(url: string): Promise<Arrival[]> {
  const answer = await fetch(url);
  if (!answer.ok || !answer.body) throw new Error(`${url}: ${answer.status}`);
  const arrivals: Arrival[] = [];
  let rest = '';
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    const arrivedAt = Date.now();
    const messages = (rest + chunk).split('\n\n');
    rest = messages.pop() ?? '';
    for (const message of messages) {
      const sentAt = /"delta":"(\d+) "/.exec(message)?.[1];
      if (sentAt === undefined) continue;
      const number = /^id: ?(\d+)$/m.exec(message)?.[1];
      arrivals.push({ number: number ? Number(number) : null, sentAt: Number(sentAt), arrivedAt });
    }
  }
  return arrivals;
}
