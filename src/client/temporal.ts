import {
  Client,
  Connection,
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type ConnectionLike,
  type ConnectionOptions,
  type WorkflowStartOptions,
} from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { ACTIONS_SUBMITTED } from '../contracts/actions.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { Logger } from '../contracts/logger.ts';
import { compensationId } from '../contracts/starter.ts';
import type { ExecutionState, TurnStarter } from '../contracts/starter.ts';
import type { CompensateInput, IngestInput, SummarizeInput, TurnInput } from '../contracts/turn.ts';
import { runningWorkflows } from './running-workflows.ts';
import { registeredAttributes } from './search-attributes.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Whoever cannot reach Temporal for so long leaves the rest to the sweep. */
const CALL_TIMEOUT_MS = 5_000;
/** A workflow task that was lost with its worker is repeated after this. */
const WORKFLOW_TASK_TIMEOUT = '5s';
/** A summary has room for 400 bytes; a character takes up to four. */
const MAX_NAME_IN_SUMMARY = 80;

/**
 * Connects to Temporal and makes sure that the namespace exists. Close it with `client.connection.close()`.
 * @throws TurnkeeperError `temporal_unreachable`, within about 10 s
 */
export async function connectTemporal({
  connectionOptions,
  namespace,
}: {
  connectionOptions: ConnectionOptions;
  namespace: string;
}): Promise<Client> {
  const address = connectionOptions.address ?? 'localhost:7233';
  let connection: Connection | undefined;
  try {
    connection = Connection.lazy({ connectTimeout: CONNECT_TIMEOUT_MS, ...connectionOptions });
    await connection.ensureConnected();
    return await namespaceClient(connection, namespace);
  } catch (error) {
    await connection?.close();
    throw notServed(address, namespace, error);
  }
}

/** A connection of the client or of a worker; its owner closes it. */
export type TemporalConnection = ConnectionLike;

/**
 * The same over a connection that is there.
 * @throws TurnkeeperError `temporal_unreachable`
 */
export async function clientOver(
  connection: TemporalConnection,
  { connectionOptions, namespace }: { connectionOptions: { address: string }; namespace: string },
): Promise<Client> {
  try {
    return await namespaceClient(connection, namespace);
  } catch (error) {
    throw notServed(connectionOptions.address, namespace, error);
  }
}

async function namespaceClient(connection: ConnectionLike, namespace: string): Promise<Client> {
  await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
    connection.workflowService.describeNamespace({ namespace }),
  );
  return new Client({ connection, namespace });
}

/** The same client, with a codec for what it sends and gets. */
export function withCodec(client: Client, codec: PayloadCodec): Client {
  const { connection, options } = client;
  const dataConverter = { payloadCodecs: [codec] };
  return new Client({ connection, namespace: options.namespace, dataConverter });
}

function notServed(address: string, namespace: string, error: unknown): TurnkeeperError {
  return new TurnkeeperError(
    'temporal_unreachable',
    `Temporal at ${address} does not serve namespace ${namespace}: ${explain(error)}.`,
    { address, namespace },
    error,
  );
}

export interface StarterOptions {
  client: Client;
  /** The first workflow task of a turn comes back with its start. Only over the connection of a worker. */
  eagerStart: boolean;
  taskQueue: string;
  logger: Logger;
}

/**
 * Starts, asks after and stops workflows on a task queue. Its methods reject with `temporal_unreachable` after about 5 s.
 */
export async function temporalStarter({
  client,
  eagerStart,
  taskQueue,
  logger,
}: StarterOptions): Promise<TurnStarter> {
  const searchAttributes = await registeredAttributes(client, logger);
  const call = <T>(work: () => Promise<T>) => calling(client, work);
  const { workflow } = client;
  return {
    startTurn: (input) =>
      call(async () => {
        const options = turnOptions(input, taskQueue);
        const typedSearchAttributes = searchAttributes(input);
        await workflow
          .start('turn', { ...options, typedSearchAttributes, requestEagerStart: eagerStart })
          .catch(ignore(WorkflowExecutionAlreadyStartedError));
      }),
    startIngest: (input) =>
      call(async () => {
        await workflow.start('ingest', ingestOptions(input, taskQueue));
      }),
    startCompensation: (input) =>
      call(async () => {
        await workflow
          .start('compensate', compensateOptions(input, taskQueue))
          .catch(ignore(WorkflowExecutionAlreadyStartedError));
      }),
    startSummary: (input) =>
      call(async () => {
        await workflow.start('summarize', summarizeOptions(input, taskQueue));
      }),
    wake: (turnId) => call(() => wake(client, turnId)),
    executionState: (workflowId) => call(() => executionState(client, workflowId)),
    running: (type, page) => call(() => runningWorkflows(client, taskQueue, type, page)),
    cancel: (workflowId) =>
      call(async () => {
        await workflow.getHandle(workflowId).cancel().catch(ignore(WorkflowNotFoundError));
      }),
    terminate: (workflowId, reason) =>
      call(async () => {
        await workflow.getHandle(workflowId).terminate(reason).catch(ignore(WorkflowNotFoundError));
      }),
  };
}

/** No execution time-out: the deadline in the turn's row is the only one. */
function turnOptions(input: TurnInput, taskQueue: string): WorkflowStartOptions {
  const { turnId, tenant, conversationId, assistant, deadlineMs } = input;
  const name = Array.from(assistant.name).slice(0, MAX_NAME_IN_SUMMARY).join('');
  return {
    workflowId: turnId,
    // A turn runs once: the default would run it again after it has closed.
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    taskQueue,
    args: [input],
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    staticSummary: `${name} v${assistant.version}`,
    staticDetails: [
      `- tenant: \`${tenant}\``,
      `- conversation: \`${conversationId}\``,
      `- assistant: \`${assistant.id}\`, version ${assistant.version}`,
      `- deadline: ${new Date(deadlineMs).toISOString()}`,
    ].join('\n'),
  };
}

/**
 * Reusable after any end: only documents that are neither indexed nor failed are started, so an ingestion that closed
 * was lost (terminated by hand, or the store came from a backup), and doing it again changes nothing.
 */
function ingestOptions(input: IngestInput, taskQueue: string): WorkflowStartOptions {
  return {
    workflowId: `ingest:${input.documentId}`,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    taskQueue,
    args: [input],
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    staticSummary: 'document',
  };
}

/** Effects are undone once: a compensation that closed is not run again. */
function compensateOptions(input: CompensateInput, taskQueue: string): WorkflowStartOptions {
  return {
    workflowId: compensationId(input.turnId),
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    taskQueue,
    args: [input],
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    staticSummary: 'compensation',
    staticDetails: `- tenant: \`${input.tenant}\`\n- turn: \`${input.turnId}\``,
  };
}

function summarizeOptions(input: SummarizeInput, taskQueue: string): WorkflowStartOptions {
  return {
    workflowId: `summary:${input.conversationId}`,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    taskQueue,
    args: [input],
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    staticSummary: 'summary',
    staticDetails: `- tenant: \`${input.tenant}\``,
  };
}

/** A workflow without a worker takes no Update; whoever wakes it does not wait for one. */
const WAKE_TIMEOUT_MS = 2_000;

async function wake(client: Client, turnId: string): Promise<void> {
  const handle = client.workflow.getHandle(turnId);
  await client
    .withDeadline(Date.now() + WAKE_TIMEOUT_MS, () => handle.executeUpdate(ACTIONS_SUBMITTED))
    .catch(ignore(WorkflowNotFoundError))
    .catch(ignore(WorkflowUpdateFailedError));
}

const CLOSED = ['COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'];

async function executionState(client: Client, workflowId: string): Promise<ExecutionState> {
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    // A status that we don't know is no proof of an end.
    return CLOSED.includes(status.name) ? 'closed' : 'running';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'not_found';
    throw error;
  }
}

function ignore(expected: new (...args: never[]) => Error) {
  return (error: unknown) => {
    if (!(error instanceof expected)) throw error;
  };
}

async function calling<T>(client: Client, work: () => Promise<T>): Promise<T> {
  try {
    return await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, work);
  } catch (error) {
    throw new TurnkeeperError(
      'temporal_unreachable',
      `Temporal did not do what it was asked: ${explain(error)}.`,
      { namespace: client.options.namespace },
      error,
    );
  }
}

/** What the server or the network said is in the cause. */
function explain(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (isGrpcServiceError(cause)) return cause.details || cause.message;
  return cause instanceof Error ? cause.message : String(cause);
}
