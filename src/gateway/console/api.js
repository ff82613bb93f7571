/**
 * Answers of the API, as far as this page reads them. Times are ISO 8601.
 * @typedef {{ version: string, temporalUi: string | null, namespace: string, runsOn: string[] }} Info
 * @typedef {{ id: string, version: number, definition: { name: string, model: string } }} Assistant
 * @typedef {{ id: string, endUser: string | null, metadata: Record<string, unknown>, activeTurn: string | null, createdAt: string }} Conversation
 * @typedef {{ type: string, role?: string, content?: unknown }} Item
 * @typedef {{ position: number, turnId: string | null, item: Item }} ConversationItem
 * @typedef {{ id: string, conversationId: string, assistantId: string, assistantVersion: number, state: string, status: string, reason: string | null, message: string | null, acceptedAt: string, sealedAt: string | null, origin: { kind: 'retry' | 'regenerate' | 'edit', turnId: string } | null }} Turn
 * @typedef {{ key: string, kind: string, status: string, attempts: number, model: string | null, tool: { callId: string, name: string, outcome: string | null } | null, error: { reason: string, message: string } | null, repairs: { total: number, listed: { rule: string, position: number }[] } | null, startedAt: string, settledAt: string | null }} Step
 * @typedef {{ callId: string, name: string, kind: 'outputs' | 'approval', state: string, arguments: Record<string, unknown> }} Action
 * @typedef {{ inputTokens: number, cachedTokens: number, outputTokens: number, reasoningTokens: number, costUsd?: number | null }} Tokens
 * @typedef {Tokens & { step: string, model: string, state: string, estimated: boolean }} ModelCall
 * @typedef {Tokens & { totalTokens: number, calls: ModelCall[] }} Usage
 */

/** The server's no, with its code of docs/errors.md. */
export class Refusal extends Error {
  /** @param {number} status @param {{ code?: string, message?: string, details?: Record<string, unknown> }} error */
  constructor(status, { code = 'unknown', message = `The server answered ${status}.`, details }) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details ?? {};
  }
}

/**
 * What went wrong, for people.
 * @param {unknown} error
 */
export function explain(error) {
  const lost = error instanceof TypeError || error instanceof DOMException;
  if (lost) return 'The server cannot be reached.';
  return error instanceof Error ? error.message : String(error);
}

/** @param {Response} response */
export async function refusalOf(response) {
  const body = await response.json().catch(() => ({}));
  return new Refusal(response.status, body.error ?? {});
}

/**
 * @param {string} path
 * @param {{ body?: unknown, key?: string, signal?: AbortSignal }} [options] With a body it is a POST.
 */
async function request(path, { body, key, signal } = {}) {
  const response = await fetch(path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    body: body === undefined ? null : JSON.stringify(body),
    cache: 'no-store',
    signal: signal ?? null,
  });
  if (!response.ok) throw await refusalOf(response);
  return await response.json();
}

/** @param {string} path @returns {Promise<any[]>} */
async function newest(path) {
  const { data } = await request(path);
  return data;
}

/** @returns {Promise<Info>} */
export const readInfo = () => request('/api/info');

/** @returns {Promise<Assistant[]>} */
export const listAssistants = () => newest('/api/assistants?limit=100&order=desc');

/** @param {Record<string, unknown>} definition @param {string} key @returns {Promise<Assistant>} */
export const createAssistant = (definition, key) =>
  request('/api/assistants', { body: definition, key });

/** @returns {Promise<Conversation[]>} */
export const listConversations = () => newest('/api/conversations?limit=50&order=desc');

/** @param {string} title @param {string} key @returns {Promise<Conversation>} */
export const createConversation = (title, key) =>
  request('/api/conversations', { body: { metadata: { title } }, key });

/** The newest ones, oldest first. @param {string} id @returns {Promise<ConversationItem[]>} */
export const listItems = async (id) =>
  (await newest(`/api/conversations/${id}/items?limit=100&order=desc`)).reverse();

/** The newest ones, oldest first. @param {string} id @returns {Promise<Turn[]>} */
export const listTurns = async (id) =>
  (await newest(`/api/conversations/${id}/turns?limit=50&order=desc`)).reverse();

/**
 * @param {string} conversationId
 * @param {{ assistantId: string, input: string, whenBusy: string }} turn
 * @param {string} key
 * @returns {Promise<Turn>}
 */
export const startTurn = (conversationId, turn, key) =>
  request(`/api/conversations/${conversationId}/turns`, { body: turn, key });

/** @param {string} id @param {string} key @returns {Promise<Turn>} */
export const retryTurn = (id, key) => request(`/api/turns/${id}/retry`, { body: {}, key });

/** @param {string} id @param {string} key @returns {Promise<Turn>} */
export const regenerateTurn = (id, key) =>
  request(`/api/turns/${id}/regenerate`, { body: {}, key });

/** @param {string} id @param {string} input @param {string} key @returns {Promise<Turn>} */
export const editTurn = (id, input, key) =>
  request(`/api/turns/${id}/edit`, { body: { input }, key });

/** @param {string} id @returns {Promise<Turn>} */
export const cancelTurn = (id) => request(`/api/turns/${id}/cancel`, { body: {} });

/** Decides calls that a turn waits for. @param {string} id @param {object} submission @returns {Promise<Turn>} */
export const submitActions = (id, submission) =>
  request(`/api/turns/${id}/submit`, { body: submission });

/** What is asked again when it fails waits no longer for an answer. */
const READ_TIMEOUT_MS = 15_000;

/**
 * How a turn stands, what it did, and what it waits for.
 * @param {string} id @param {AbortSignal} watching
 * @returns {Promise<{ turn: Turn, steps: Step[], usage: Usage, actions: Action[] }>}
 */
export async function readTurn(id, watching) {
  const signal = AbortSignal.any([watching, AbortSignal.timeout(READ_TIMEOUT_MS)]);
  const [turn, steps, usage] = await Promise.all([
    request(`/api/turns/${id}`, { signal }),
    request(`/api/turns/${id}/steps`, { signal }),
    request(`/api/turns/${id}/usage`, { signal }),
  ]);
  const waits = turn.status === 'requires_action';
  const actions = waits ? await request(`/api/turns/${id}/actions`, { signal }) : { data: [] };
  return { turn, steps: steps.data, usage, actions: actions.data };
}
