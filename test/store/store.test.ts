import { describe } from 'vitest';
import { describeStores } from '../support/stores.ts';
import { accepting } from './suites/accepting.ts';
import { beginning } from './suites/beginning.ts';
import { endings, handingOver } from './suites/endings.ts';
import { events } from './suites/events.ts';
import { losing, settling } from './suites/fencing.ts';
import { keysAndPages } from './suites/keys-and-pages.ts';
import { ledgerModel } from './suites/ledger-model.ts';
import { openSteps } from './suites/open-steps.ts';
import { prices } from './suites/pricing.ts';
import { records } from './suites/records.ts';
import { rewinding } from './suites/rewinding.ts';
import { contexts, modelCalls, toolCalls } from './suites/settling-steps.ts';
import { starting, sweeping } from './suites/sweeping.ts';
import { tenants } from './suites/tenants.ts';

// One file, because an embedded database takes seconds to make.
describeStores('the store', (database) => {
  describe('keeps each of its records once', () => keysAndPages(database));
  describe('keeps records as they were sent', () => records(database));
  describe('accepting a turn', () => accepting(database));
  describe('starting a turn', () => starting(database));
  describe("the worker's sweep", () => sweeping(database));
  describe('beginning a step', () => beginning(database));
  describe('rewinding', () => rewinding(database));
  describe('an attempt that lost its step', () => losing(database));
  describe('an attempt that settled its step', () => settling(database));
  describe('a model call', () => modelCalls(database));
  describe('the price of a model call', () => prices(database));
  describe('tool calls', () => toolCalls(database));
  describe('the context', () => contexts(database));
  describe('events', () => events(database));
  describe('sealing a turn', () => endings(database));
  describe('sealing over open steps', () => openSteps(database));
  describe('sealing with a turn waiting behind it', () => handingOver(database));
  describe('another tenant', () => tenants(database));
  describe('a ledger in the hands of many attempts', () => ledgerModel(database));
});
