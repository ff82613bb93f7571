import { BOUNDS } from './settings/bounds.ts';
import { MODEL } from './settings/model.ts';
import { SANDBOX } from './settings/sandbox.ts';
import { SERVERS } from './settings/servers.ts';
import { STORAGE } from './settings/storage.ts';
import { TEMPORAL } from './settings/temporal.ts';
import { WORKER } from './settings/worker.ts';

/** Every setting there is; docs/configuration.md is held against this table. */
export const SETTINGS = {
  ...STORAGE,
  ...MODEL,
  ...WORKER,
  ...SANDBOX,
  ...SERVERS,
  ...BOUNDS,
  ...TEMPORAL,
};

type Table = typeof SETTINGS;

export type SettingName = keyof Table;

/** Settings that have a default. */
export type DefaultedName = {
  [N in SettingName]: Table[N]['default'] extends string ? N : never;
}[SettingName];

/** Settings that are whole numbers. */
export type NumberName = {
  [N in SettingName]: Table[N] extends { range: object } ? N : never;
}[SettingName];

/** Settings that are one of a few words. */
export type ChoiceName = {
  [N in SettingName]: Table[N] extends { oneOf: object } ? N : never;
}[SettingName];

/** The words such a setting takes. */
export type Choice<N extends ChoiceName> = Table[N] extends { oneOf: readonly (infer Word)[] }
  ? Word
  : never;
