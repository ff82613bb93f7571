import { once } from 'node:events';

/** Where one response may be held. */
export interface Gate {
  /** Returns at once when the gate was released before; rejects when the signal is aborted. */
  wait(signal: AbortSignal): Promise<void>;
  /** Forgets the gate. */
  close(): void;
}

/** The gates of all responses under way. A release that comes before a response reached its hold counts too. */
export class Gates {
  readonly #releases = new Set<AbortController>();
  #held = 0;

  get held(): number {
    return this.#held;
  }

  open(): Gate {
    const release = new AbortController();
    this.#releases.add(release);
    return {
      wait: (signal) => this.#hold(release.signal, signal),
      close: () => this.#releases.delete(release),
    };
  }

  release(): void {
    for (const release of this.#releases) release.abort();
  }

  async #hold(released: AbortSignal, signal: AbortSignal): Promise<void> {
    if (released.aborted) return;
    this.#held += 1;
    try {
      await once(released, 'abort', { signal });
    } finally {
      this.#held -= 1;
    }
  }
}
