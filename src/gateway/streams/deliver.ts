import type { TurnEvent } from '../../contracts/store.ts';

/** Where a reader's events go. */
export interface Outlet {
  /** Resolves once there is room for more. */
  send(event: TurnEvent): Promise<void>;
  /** Resolves once everything is on its way. */
  end(): Promise<void>;
  /** Shows that the connection lives. */
  beat(): void;
  /** Gives the reader up. */
  cut(): void;
}

/** Milliseconds. */
export interface StreamTiming {
  heartbeatMs: number;
  /** A reader that takes nothing for so long is cut off; the log keeps its place. */
  stallMs: number;
}

export const STREAM_TIMING: StreamTiming = { heartbeatMs: 15_000, stallMs: 60_000 };

/** Sends events as fast as the reader takes them. What waits is in the log, not here. */
export async function deliver(
  events: AsyncIterable<TurnEvent>,
  outlet: Outlet,
  timing: StreamTiming,
): Promise<void> {
  const reader = watchReader(outlet, timing);
  try {
    for await (const event of events) await reader.taking(outlet.send(event));
    await reader.taking(outlet.end());
  } finally {
    reader.leave();
  }
}

function watchReader(outlet: Outlet, { heartbeatMs, stallMs }: StreamTiming) {
  let waitingSince: number | null = null;
  const look = () => {
    if (waitingSince === null) outlet.beat();
    else if (Date.now() - waitingSince >= stallMs) outlet.cut();
  };
  const timer = setInterval(look, heartbeatMs);
  return {
    async taking(room: Promise<void>) {
      waitingSince = Date.now();
      await room;
      waitingSince = null;
    },
    leave: () => clearInterval(timer),
  };
}
