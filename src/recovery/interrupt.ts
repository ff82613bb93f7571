import { cancelFromOutside, terminateOrLeave, turnFields, type Recovery } from './recovery.ts';

/** Ends a turn in whose place another one is to come. What cannot be done now is left to the sweep. */
export async function interruptOrLeave(
  parts: Recovery,
  tenant: string,
  turnId: string,
): Promise<void> {
  try {
    const { state } = await parts.store.turns.get(tenant, turnId);
    if (state === 'accepted') await cancelFromOutside(parts, tenant, turnId);
    if (state === 'started') await parts.starter.cancel(turnId);
  } catch (error) {
    parts.logger.warn(
      'turn not interrupted, left to the sweep',
      turnFields({ tenant, turnId }, error),
    );
  }
}

/** A turn that was asked to end. */
interface EndingTurn {
  tenant: string;
  turnId: string;
  /** Whether a workflow may have it. */
  started: boolean;
  /** Since it was asked, milliseconds. */
  askedForMs: number;
}

/** Cancels like a user, which also reaches the model; past `patienceMs`, over the workflow's head. */
export async function insistOnEnd(
  parts: Recovery,
  { tenant, turnId, started, askedForMs }: EndingTurn,
  { patienceMs, reason }: { patienceMs: number; reason: string },
): Promise<void> {
  if (!started) return cancelFromOutside(parts, tenant, turnId);
  if (askedForMs < patienceMs) return parts.starter.cancel(turnId);
  await cancelFromOutside(parts, tenant, turnId);
  await terminateOrLeave(parts, { tenant, turnId }, reason);
}
