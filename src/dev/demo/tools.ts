import type { RunnableTool } from '../../contracts/tools.ts';

/** Where the IANA database keeps its places; `pattern` lets a zone be found in a text, too. */
const REGIONS = 'Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific';

const timeInZone: RunnableTool = {
  name: 'time_in_zone',
  description:
    'The date and time now in a time zone of the IANA database, for example Europe/Brussels.',
  parameters: {
    type: 'object',
    properties: {
      zone: {
        type: 'string',
        description: 'Name of the zone in the IANA database.',
        pattern: `^(?:UTC|(?:${REGIONS})(?:/[A-Z][A-Za-z_-]+)+)$`,
      },
    },
    required: ['zone'],
    additionalProperties: false,
  },
  output: {
    type: 'object',
    properties: { local_time: { type: 'string' } },
    required: ['local_time'],
  },
  policy: 'idempotent',
  run: (args) => ({ local_time: timeIn(String(args['zone']), new Date()) }),
};

function timeIn(zone: string, now: Date): string {
  try {
    return new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      dateStyle: 'full',
      timeStyle: 'long',
    }).format(now);
  } catch (error) {
    throw new Error(`The IANA database has no time zone ${zone}.`, { cause: error });
  }
}

/** The tools of the demo's workers. */
export const tools: RunnableTool[] = [timeInZone];
