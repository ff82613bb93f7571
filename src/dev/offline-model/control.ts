import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from './api-error.ts';
import { readJson, sendJson } from './exchange.ts';
import type { OfflineModel } from './offline-model.ts';
import { readScript, Script } from './script.ts';

/** `GET /control/state`. */
export interface OfflineModelState {
  scripted: boolean;
  /** Answers of the script not yet given. */
  stepsLeft: number;
  /** Requests neither answered nor given up by their client. */
  open: number;
  /** Responses waiting for a release. */
  held: number;
  /** Requests the script had no step for. */
  exhausted: number;
}

/** The API by which a test drives the model. Rejects with `ApiError`. */
export async function control(
  model: OfflineModel,
  request: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  switch (`${request.method ?? ''} ${request.url ?? ''}`) {
    case 'POST /control/script':
      model.script = new Script(readScript(await readJson(request)));
      model.journal.clear();
      break;
    case 'POST /control/release':
      model.gates.release();
      break;
    case 'GET /control/journal':
      sendJson(answer, 200, model.journal.entries());
      return;
    case 'GET /control/state':
      break;
    default:
      throw new ApiError(404, `No such control: ${request.method ?? ''} ${request.url ?? ''}.`);
  }
  sendJson(answer, 200, state(model));
}

function state(model: OfflineModel): OfflineModelState {
  const entries = model.journal.entries();
  return {
    scripted: model.script !== null,
    stepsLeft: model.script?.left() ?? 0,
    open: model.open,
    held: model.gates.held,
    exhausted: entries.filter((entry) => entry.scriptExhausted).length,
  };
}
