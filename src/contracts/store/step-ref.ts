/** Issued by the Temporal server per activity attempt; rises from attempt to attempt. */
export interface Fence {
  scheduledMs: number;
  attempt: number;
}

/** A step together with the attempt that works on it. */
export interface StepRef {
  tenant: string;
  turnId: string;
  step: string;
  fence: Fence;
}
