import type { Setting } from './setting.ts';

/** What listens. */
export const SERVERS = {
  TURNKEEPER_METRICS_PORT: {
    default: '0',
    range: [0, 65_535],
    description: 'Port on which a worker serves Prometheus metrics. With 0 it serves none.',
  },
  TURNKEEPER_METRICS_HOST: {
    default: '127.0.0.1',
    description: 'Address on which a worker serves metrics.',
  },
  PORT: {
    default: '8787',
    range: [0, 65_535],
    description: 'Port of the HTTP gateway. With 0 it takes any that is free, and prints it.',
  },
  TURNKEEPER_HOST: {
    default: '127.0.0.1',
    description:
      'Address of the HTTP gateway. Until there are API keys it must be one of this machine alone.',
  },
  TURNKEEPER_MAX_STREAMS: {
    default: '1000',
    range: [1, 100_000],
    description:
      'Readers that one gateway serves at a time: event streams, sockets, and requests that wait for a result.',
  },
  TURNKEEPER_CODEC_ORIGIN: {
    default: null,
    description:
      'Origin of Temporal’s Web UI, such as `http://localhost:8233`, whose pages may then have payloads decoded by the gateway, those of all tenants. Without it nothing is decoded.',
  },
  DATA_DIR: {
    default: null,
    description:
      'Folder in which the gateway keeps what it started itself. Without it the data are temporary.',
  },
} as const satisfies Record<string, Setting>;
