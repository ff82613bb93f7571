import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';

export interface BareActivities {
  respond(turnId: string): Promise<void>;
  close(turnId: string): Promise<void>;
}

const { respond } = proxyActivities<BareActivities>({
  scheduleToCloseTimeout: '10m',
  heartbeatTimeout: '5s',
});
const { close } = proxyLocalActivities<BareActivities>({ scheduleToCloseTimeout: '4s' });

/** Of the shape of a plain turn. */
export async function bareTurn(turnId: string): Promise<void> {
  await respond(turnId);
  await close(turnId);
}
