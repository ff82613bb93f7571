/** One delta of the model as its reader got it, epoch milliseconds. */
export interface Arrival {
  /** Of the event that brought it, alone or with others; null behind the plain proxy. */
  number: number | null;
  /** When the model sent it, which it says in its text. */
  sentAt: number;
  arrivedAt: number;
}

export interface Reading {
  arrivals: Arrival[];
  /** How often the answer was begun anew. */
  rewinds: number;
}

/** Reads a stream of Server-Sent Events to its end. Cheap, for hundreds of them are read in one process. */
export async function follow(url: string): Promise<Reading> {
  const answer = await fetch(url);
  if (!answer.ok || !answer.body) throw new Error(`${url}: ${answer.status}`);
  const arrivals: Arrival[] = [];
  let rewinds = 0;
  let rest = '';
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    const arrivedAt = Date.now();
    const messages = (rest + chunk).split('\n\n');
    rest = messages.pop() ?? '';
    for (const message of messages) {
      if (message.includes('event: turn.rewind')) rewinds += 1;
      arrivals.push(...deltasOf(message).map((delta) => ({ ...delta, arrivedAt })));
    }
  }
  return { arrivals, rewinds };
}

/** Deltas that came within the appender's pause are one event. */
function deltasOf(message: string): Omit<Arrival, 'arrivedAt'>[] {
  const text = /"delta":"([\d ]+)"/.exec(message)?.[1]?.trim();
  const number = /^id: ?(\d+)$/m.exec(message)?.[1];
  return (text?.split(' ') ?? []).map((sentAt) => ({
    number: number ? Number(number) : null,
    sentAt: Number(sentAt),
  }));
}
