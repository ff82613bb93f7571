/** How long whoever is told to stop waits for the id of a response, without which nobody could find it again. */
const ID_GRACE_MS = 2_000;

export interface IdGrace {
  /** Aborted like `stop`, but only after a while as long as the id is not stored. */
  signal: AbortSignal;
  idIsStored: () => void;
}

export function graceForId(stop: AbortSignal): IdGrace {
  const controller = new AbortController();
  const abort = () => controller.abort(stop.reason);
  let delayMs = ID_GRACE_MS;
  const onStop = () => {
    if (delayMs === 0) abort();
    else setTimeout(abort, delayMs).unref();
  };
  if (stop.aborted) onStop();
  else stop.addEventListener('abort', onStop, { once: true });
  return {
    signal: controller.signal,
    idIsStored() {
      delayMs = 0;
      if (stop.aborted) abort();
    },
  };
}
