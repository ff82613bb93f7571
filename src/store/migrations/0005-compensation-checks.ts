/** When a sweep last looked after a compensation, so that sweeps share the work and leave running ones alone. */
export const compensationChecks = /* sql */ `
ALTER TABLE turnkeeper.turns ADD COLUMN compensation_checked_at timestamptz;
`;
