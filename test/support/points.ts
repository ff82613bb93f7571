import type { ActivityDependencies } from '../../src/activities/dependencies.ts';
import type { Model, ModelEvent } from '../../src/contracts/model.ts';
import type { VectorIndex } from '../../src/contracts/retrieval.ts';
import type { StepStore, Store } from '../../src/contracts/store.ts';
import type { Tools } from '../../src/contracts/tools.ts';

/** Where a test's worker can be made to stop, until it is killed or let go. */
export const POINTS = [
  'retrieve',
  'respond: before the create',
  'respond: before the first delta',
  'respond: in mid-stream',
  'respond: after the last delta',
  'respond: settled',
  'runTool: before',
  'runTool: during',
  'runTool: after',
  'runTool: settled',
  'closeTurn: before',
  'closeTurn: sealed',
] as const;

export type Point = (typeof POINTS)[number];

/** Stays at the point if it is one to stay at. */
export type Stay = (point: Point) => Promise<void>;

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
    async begin(step) {
      const begun = await store.steps.begin(step);
      if (step.kind === 'tool' && begun.state === 'open') await stay('runTool: before');
      return begun;
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
  return { ...store, steps, turns };
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
      return {
        ...tool,
        async run(args, context) {
          const output = await tool.run(args, context);
          await stay('runTool: during');
          return output;
        },
      };
    },
  };
}

function hangingModel(model: Model, stay: Stay): Model {
  return {
    async stream(request, options) {
      await stay('respond: before the create');
      const stream = await model.stream(request, options);
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
