import { describe } from 'vitest';
import { describeIndexes } from './indexes.ts';
import { examples } from './suites/examples.ts';
import { outages } from './suites/outages.ts';
import { crowded, searching } from './suites/searching.ts';
import { tenants } from './suites/tenants.ts';
import { hostileTexts, preparing, writing } from './suites/writing.ts';

describeIndexes('an index', (indexes) => {
  describe('preparing', () => preparing(indexes));
  describe('searching', () => searching(indexes));
  describe('a tenant with few chunks among many of another', () => crowded(indexes));
  describe('writing', () => writing(indexes));
  describe('hostile texts', () => hostileTexts(indexes));
  describe('searches of two tenants never cross', () => tenants(indexes));
  describe('a server that goes away', () => outages(indexes));
  describe('the example documents', () => examples(indexes));
});
