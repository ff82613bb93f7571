import { randomUUID } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../src/client/search-attributes.ts';
import { connectTemporal, temporalStarter } from '../../src/client/temporal.ts';
import type { JsonObject } from '../../src/contracts/json.ts';
import type { Logger } from '../../src/contracts/logger.ts';
import { compensationId, type TurnStarter } from '../../src/contracts/starter.ts';
import type { TurnInput } from '../../src/contracts/turn.ts';
import { hasPart, requirePart } from '../support/require-part.ts';
import { freshTaskQueue, newNamespace, testTemporal } from '../support/temporal.ts';
import { expectRefused } from './world.ts';

const warnings: [string, JsonObject | undefined][] = [];
const logger: Logger = {
  info: () => undefined,
  warn: (message, fields) => void warnings.push([message, fields]),
  error: () => undefined,
};

let client: Client;
let starter: TurnStarter;

beforeAll(async () => {
  if (!hasPart('temporal')) return;
  client = await connectTemporal(testTemporal());
  starter = await temporalStarter({
    client,
    eagerStart: false,
    taskQueue: freshTaskQueue(),
    logger,
  });
});
afterAll(async () => {
  if (hasPart('temporal')) await client.connection.close();
});

const needsTemporal = () => beforeEach((context) => requirePart(context, 'temporal'));

function turnInput(changes: Partial<TurnInput> = {}): TurnInput {
  return {
    tenant: 'default',
    turnId: randomUUID(),
    conversationId: randomUUID(),
    assistant: { id: randomUUID(), version: 3, name: 'Helper' },
    deadlineMs: Date.UTC(2030, 0, 1),
    retrieve: false,
    models: ['m'],
    fallbackAnswer: false,
    maxRounds: 12,
    ...changes,
  };
}

const describeTurn = (id: string) => client.workflow.getHandle(id).describe();

describe('starting a turn in Temporal', () => {
  needsTemporal();

  it('names it for people and makes it findable', async () => {
    const input = turnInput();
    await starter.startTurn(input);
    const description = await describeTurn(input.turnId);
    expect(description).toMatchObject({ type: 'turn', status: { name: 'RUNNING' } });
    expect(await description.staticSummary()).toBe('Helper v3');
    expect(await description.staticDetails()).toContain(input.conversationId);
    const found = description.typedSearchAttributes;
    expect(found.get(SEARCH_ATTRIBUTES.conversation)).toBe(input.conversationId);
    expect(found.get(SEARCH_ATTRIBUTES.tenant)).toBe('default');
    expect(found.get(SEARCH_ATTRIBUTES.assistant)).toBe(input.assistant.id);
  });

  it('sets no time-outs of its own, but one for lost workflow tasks', async () => {
    const input = turnInput();
    await starter.startTurn(input);
    const { executionConfig } = (await describeTurn(input.turnId)).raw;
    expect(executionConfig?.defaultWorkflowTaskTimeout?.seconds?.toString()).toBe('5');
    expect(executionConfig?.workflowExecutionTimeout?.seconds?.toString() ?? '0').toBe('0');
    expect(executionConfig?.workflowRunTimeout?.seconds?.toString() ?? '0').toBe('0');
  });

  it('succeeds again while it runs and after it has closed, and runs it once', async () => {
    const input = turnInput();
    await starter.startTurn(input);
    const { runId } = await describeTurn(input.turnId);
    await starter.startTurn(input);
    await starter.terminate(input.turnId, 'test');
    await starter.startTurn(input);
    expect(await describeTurn(input.turnId)).toMatchObject({
      runId,
      status: { name: 'TERMINATED' },
    });
  });

  it('lists those that run on its task queue, in pages', async () => {
    const inputs = [turnInput(), turnInput(), turnInput()];
    for (const input of inputs) await starter.startTurn(input);
    const [ended, ...running] = inputs.map(({ turnId }) => turnId);
    await starter.terminate(ended ?? '', 'test');
    const listed = async () => {
      const found: string[] = [];
      for (let after: string | null = null; ;) {
        const page = await starter.running('turn', { limit: 1, after });
        found.push(...page.ids);
        if (page.next === null) break;
        after = page.next;
      }
      return inputs.map(({ turnId }) => turnId).filter((id) => found.includes(id));
    };
    await expect.poll(listed, { timeout: 20_000 }).toEqual(running);
  });

  it('cuts the name of an assistant to what fits into a summary', async () => {
    const name = '🚀'.repeat(200);
    const input = turnInput({ assistant: { id: 'a', version: 1, name } });
    await starter.startTurn(input);
    expect(await (await describeTurn(input.turnId)).staticSummary()).toBe(`${'🚀'.repeat(80)} v1`);
  });
});

describe('starting an ingestion in Temporal', () => {
  needsTemporal();

  const ingestion = () => {
    const documentId = randomUUID();
    return { input: { tenant: 'default', documentId }, workflowId: `ingest:${documentId}` };
  };

  it('leaves a running one alone', async () => {
    const { input, workflowId } = ingestion();
    await starter.startIngest(input);
    const { runId, type } = await describeTurn(workflowId);
    await starter.startIngest(input);
    expect(type).toBe('ingest');
    expect(await describeTurn(workflowId)).toMatchObject({ runId });
  });

  it('starts one again that was terminated', async () => {
    const { input, workflowId } = ingestion();
    await starter.startIngest(input);
    await starter.terminate(workflowId, 'test');
    await starter.startIngest(input);
    expect(await starter.executionState(workflowId)).toBe('running');
  });
});

describe('starting a compensation in Temporal', () => {
  needsTemporal();

  it('starts it once, also after it was terminated', async () => {
    const input = { tenant: 'default', turnId: randomUUID() };
    const workflowId = compensationId(input.turnId);
    await starter.startCompensation(input);
    const { runId, type } = await describeTurn(workflowId);
    await starter.startCompensation(input);
    await starter.terminate(workflowId, 'test');
    await starter.startCompensation(input);
    expect(type).toBe('compensate');
    const closed = { runId, status: { name: 'TERMINATED' } };
    expect(await describeTurn(workflowId)).toMatchObject(closed);
  });
});

describe('asking Temporal about a workflow', () => {
  needsTemporal();

  it('tells running, closed and unknown ones apart', async () => {
    const { turnId, ...rest } = turnInput();
    expect(await starter.executionState(turnId)).toBe('not_found');
    await starter.startTurn({ turnId, ...rest });
    expect(await starter.executionState(turnId)).toBe('running');
    await starter.terminate(turnId, 'test');
    expect(await starter.executionState(turnId)).toBe('closed');
  });

  it('wakes what waits, and leaves alone what is closed or unknown', async () => {
    const input = turnInput();
    await starter.wake(input.turnId);
    await starter.startTurn(input);
    await expectRefused(starter.wake(input.turnId), 'temporal_unreachable', /Temporal/);
    await starter.terminate(input.turnId, 'test');
    await starter.wake(input.turnId);
    expect(await starter.executionState(input.turnId)).toBe('closed');
  });

  it('cancels and terminates what runs, and leaves the others alone', async () => {
    const input = turnInput();
    await starter.cancel(input.turnId);
    await starter.terminate(input.turnId, 'test');
    await starter.startTurn(input);
    await starter.cancel(input.turnId);
    const history = await client.workflow.getHandle(input.turnId).fetchHistory();
    const requested = history.events?.some(
      (event) => event.workflowExecutionCancelRequestedEventAttributes,
    );
    expect(requested).toBe(true);
    await starter.terminate(input.turnId, 'test');
    await starter.cancel(input.turnId);
    await starter.terminate(input.turnId, 'test');
    expect(await starter.executionState(input.turnId)).toBe('closed');
  });

  it('rejects when the connection is gone, and does not take that for an unknown workflow', async () => {
    const own = await connectTemporal(testTemporal());
    const cut = await temporalStarter({ client: own, eagerStart: false, taskQueue: 'any', logger });
    await own.connection.close();
    await expectRefused(cut.executionState(randomUUID()), 'temporal_unreachable', /Temporal/);
    await expectRefused(cut.startTurn(turnInput()), 'temporal_unreachable', /Temporal/);
  });
});

describe('search attributes that are not registered', () => {
  needsTemporal();

  it('are left out, and the log tells the command that registers them', async () => {
    const namespace = await newNamespace(client);
    const own = await connectTemporal({ ...testTemporal(), namespace });
    warnings.length = 0;
    const plain = await temporalStarter({
      client: own,
      eagerStart: false,
      taskQueue: 'any',
      logger,
    });
    const input = turnInput();
    await expect.poll(() => plain.startTurn(input).then(() => 'started')).toBe('started');
    expect(await plain.executionState(input.turnId)).toBe('running');
    await own.connection.close();
    expect(warnings[0]?.[1]).toEqual({
      missing: ['TurnkeeperTenant', 'TurnkeeperConversation', 'TurnkeeperAssistant'],
      command:
        `temporal operator search-attribute create --namespace ${namespace} --name TurnkeeperTenant ` +
        '--name TurnkeeperConversation --name TurnkeeperAssistant --type Keyword',
    });
  });
});

describe('connecting to Temporal', () => {
  let silent: Server;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    silent = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => silent.close(resolve));
  });

  const connect = (port: number, connectTimeout: number) =>
    connectTemporal({
      connectionOptions: { address: `127.0.0.1:${port}`, connectTimeout },
      namespace: 'default',
    });

  it('is refused where nothing listens, naming the address', async () => {
    await expectRefused(connect(1, 300), 'temporal_unreachable', /Temporal at 127\.0\.0\.1:1 /);
  });

  it('is refused where something listens that is not Temporal', async () => {
    const { port } = silent.address() as AddressInfo;
    await expectRefused(connect(port, 300), 'temporal_unreachable', new RegExp(`:${port} `));
  });

  it('fails when the namespace does not exist, naming it', async (context) => {
    requirePart(context, 'temporal');
    const work = connectTemporal({ ...testTemporal(), namespace: 'no-such' });
    await expectRefused(
      work,
      'temporal_unreachable',
      /does not serve namespace no-such: .*not found/,
    );
  });
});
