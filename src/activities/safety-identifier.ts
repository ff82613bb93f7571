import { createHash } from 'node:crypto';

/** The end user as the provider takes it: at most 64 characters, a longer id by its SHA-256. */
export function safetyIdentifierOf(endUser: string | null): string | null {
  if (endUser === null || endUser.length <= 64) return endUser;
  return createHash('sha256').update(endUser).digest('hex');
}
