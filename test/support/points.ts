import type { ActivityDependencies } from '../../src/activities/dependencies.ts';
import type { Model, ModelEvent } from '../../src/contracts/model.ts';
import type { VectorIndex } from '../../src/contracts/retrieval.ts';
import type { StepRef, StepStore, Store } from '../../src/contracts/store.ts';
import type { ToolDefinition, Tools } from '../../src/contracts/tools.ts';

/** Where a test's worker can be made to stop, until it is killed or let go. */
export const POINTS = [
  'retrieve',
  'retrieve: settled',
  'respond: before the create',
  'respond: after the create',
  'respond: before the first delta',
  'respond: in mid-stream',
  'respond: after the last delta',
  'respond: settled',
  'runTool: before',
  'runTool: during',
  'runTool: after',
  'runTool: settled',
  'readActions: before',
  'readActions: read',
  'closeTurn: before',
  'closeTurn: sealed',
  'compensate reserve: before',
  'compensate reserve: during',
  'compensate reserve: after',
  'compensate reserve: settled',
  'compensate pay: before',
  'compensate pay: during',
  'compensate pay: after',
  'compensate pay: settled',
  'compensation: before closing',
  'compensation: closed',
  'summarize: before',
  'summarize: after the call',
  'summarize: stored',
] as const;

export type Point = (typeof POINTS)[number];

/** Stays at the point if it is one to stay at. */
export type Stay = (point: Point) => Promise<void>;

const isPoint = (text: string): text is Point => POINTS.some((point) => point === text);

/** A point of the tool with that name, where it has such points. */
async function stayAt(stay: Stay, tool: string, where: string): Promise<void> {
  const point = `compensate ${tool}: ${where}`;
  if (isPoint(point)) await stay(point);
}

/** Ports that ask at every point whether to go on. */
export function hangingPorts(real: ActivityDependencies, stay: Stay): ActivityDependencies {
  return {
    ...real,
    store: hangingStore(real.store, stay),
    model: hangingModel(real.model, stay),
    index: real.index && hangingIndex(real.index, stay),
    tools: hangingTools(real.tools, stay),
  };
}

function hangingStore(store: Store, stay: Stay): Store {
  const steps: StepStore = {
    ...store.steps,
    async claim(step) {
      const claimed = await store.steps.claim(step);
      if (claimed.begun.state === 'open') await stay('runTool: before');
      return claimed;
    },
    async settleRetrieval(ref, found) {
      const passages = await store.steps.settleRetrieval(ref, found);
      await stay('retrieve: settled');
      return passages;
    },
    async settleResponse(ref, response) {
      await stay('respond: after the last delta');
      await store.steps.settleResponse(ref, response);
      await stay('respond: settled');
    },
    async settleTool(ref, call) {
      await stay('runTool: after');
      await store.steps.settleTool(ref, call);
      await stay('runTool: settled');
    },
  };
  const turns: Store['turns'] = {
    ...store.turns,
    async seal(tenant, turnId, ending) {
      await stay('closeTurn: before');
      const sealed = await store.turns.seal(tenant, turnId, ending);
      await stay('closeTurn: sealed');
      return sealed;
    },
  };
  return {
    ...store,
    steps,
    turns,
    actions: hangingActions(store, stay),
    compensations: hangingCompensations(store, stay),
    summaries: hangingSummaries(store, stay),
  };
}

function hangingActions({ actions }: Store, stay: Stay): Store['actions'] {
  return {
    ...actions,
    async read(...calls) {
      await stay('readActions: before');
      const read = await actions.read(...calls);
      await stay('readActions: read');
      return read;
    },
  };
}

function hangingSummaries({ summaries }: Store, stay: Stay): Store['summaries'] {
  return {
    async work(tenant, conversationId) {
      const work = await summaries.work(tenant, conversationId);
      if (work) await stay('summarize: before');
      return work;
    },
    async extend(...change) {
      await stay('summarize: after the call');
      const extended = await summaries.extend(...change);
      await stay('summarize: stored');
      return extended;
    },
  };
}

function hangingCompensations({ compensations }: Store, stay: Stay): Store['compensations'] {
  const toolOf = ({ step }: StepRef) => step.replace('compensate:call_', '');
  return {
    ...compensations,
    async begin(step) {
      const begun = await compensations.begin(step);
      if (begun.state === 'open') await stayAt(stay, toolOf(step), 'before');
      return begun;
    },
    async settle(ref, failure) {
      await stayAt(stay, toolOf(ref), 'after');
      await compensations.settle(ref, failure);
      await stayAt(stay, toolOf(ref), 'settled');
    },
    async close(tenant, turnId) {
      await stay('compensation: before closing');
      await compensations.close(tenant, turnId);
      await stay('compensation: closed');
    },
  };
}

function hangingIndex(index: VectorIndex, stay: Stay): VectorIndex {
  return {
    ...index,
    async search(query) {
      await stay('retrieve');
      return index.search(query);
    },
  };
}

/** The effect has happened, and the tool has not said so yet. */
function hangingTools(tools: Tools, stay: Stay): Tools {
  return {
    ...tools,
    get(name) {
      const tool = tools.get(name);
      if (!tool) return undefined;
      return { ...tool, ...hangingCompensate(tool, stay), ...hangingRun(tool, stay) };
    },
    including: (clientTools) => hangingTools(tools.including(clientTools), stay),
  };
}

function hangingRun({ run }: ToolDefinition, stay: Stay): Pick<ToolDefinition, 'run'> {
  if (!run) return {};
  return {
    async run(args, context) {
      const output = await run(args, context);
      await stay('runTool: during');
      return output;
    },
  };
}

function hangingCompensate(
  { name, compensate }: ToolDefinition,
  stay: Stay,
): Pick<ToolDefinition, 'compensate'> {
  if (!compensate) return {};
  return {
    async compensate(args, output, context) {
      await compensate(args, output, context);
      await stayAt(stay, name, 'during');
    },
  };
}

function hangingModel(model: Model, stay: Stay): Model {
  return {
    ...model,
    async stream(request, options) {
      await stay('respond: before the create');
      const stream = await model.stream(request, options);
      // The provider has it, and nobody here knows its id yet.
      await stay('respond: after the create');
      return { ...stream, events: hangingEvents(stream.events, stay) };
    },
    async resume(response, options) {
      const stream = await model.resume(response, options);
      return { ...stream, events: hangingEvents(stream.events, stay) };
    },
  };
}

const DELTAS_BEFORE_STAY = 2;

async function* hangingEvents(
  events: AsyncIterable<ModelEvent>,
  stay: Stay,
): AsyncGenerator<ModelEvent> {
  let deltas = 0;
  for await (const event of events) {
    if (event.type === 'response.output_text.delta') {
      if (deltas === 0) await stay('respond: before the first delta');
      if (deltas === DELTAS_BEFORE_STAY) await stay('respond: in mid-stream');
      deltas += 1;
    }
    yield event;
  }
}
