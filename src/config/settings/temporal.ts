import type { Setting } from './setting.ts';

/** How Temporal is reached; every Temporal SDK reads these. */
export const TEMPORAL = {
  TEMPORAL_ADDRESS: {
    default: 'localhost:7233',
    description: 'Host and port of the Temporal frontend.',
  },
  TEMPORAL_NAMESPACE: { default: 'default', description: 'Temporal namespace.' },
  TEMPORAL_API_KEY: {
    default: null,
    secret: true,
    description: 'Temporal API key; turns TLS on.',
  },
  TEMPORAL_TLS: {
    default: null,
    oneOf: ['true', 'false', '1', '0'],
    description: '`true` or `false`, to turn TLS on or off whatever else is set.',
  },
  TEMPORAL_TLS_CLIENT_CERT_PATH: {
    default: null,
    description: 'Client certificate for mutual TLS, a PEM file.',
  },
  TEMPORAL_TLS_CLIENT_CERT_DATA: { default: null, description: 'The same as PEM text.' },
  TEMPORAL_TLS_CLIENT_KEY_PATH: {
    default: null,
    description: 'Key of the client certificate, a PEM file.',
  },
  TEMPORAL_TLS_CLIENT_KEY_DATA: {
    default: null,
    secret: true,
    description: 'The same as PEM text.',
  },
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: {
    default: null,
    description: 'Certificate authority of the server, a PEM file.',
  },
  TEMPORAL_TLS_SERVER_CA_CERT_DATA: { default: null, description: 'The same as PEM text.' },
  TEMPORAL_TLS_SERVER_NAME: {
    default: null,
    description: 'Server name to expect in the certificate.',
  },
  TEMPORAL_CONFIG_FILE: {
    default: null,
    description:
      'A Temporal client configuration file (TOML) instead of the one in the user’s configuration folder.',
  },
  TEMPORAL_PROFILE: { default: 'default', description: 'Profile of that file.' },
  TEMPORAL_CLI_PATH: {
    default: null,
    description:
      'The `temporal` executable for the development server; otherwise it is looked for, then downloaded.',
  },
} as const satisfies Record<string, Setting>;
