import type { Limits } from '../conversation/limits.ts';
import type { Recovery } from '../recovery/recovery.ts';

/** What every group of the client works with. */
export interface Parts extends Recovery {
  limits: Limits;
  tenant: string;
}
