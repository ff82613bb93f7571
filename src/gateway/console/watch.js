import { explain, readTurn } from './api.js';
import { rememberFirstText } from './remember.js';
import { followTurn } from './stream.js';
import { createTranscript } from './transcript.js';

/**
 * Everything the page shows of one turn.
 * @typedef {object} Watched
 * @property {import('./api.js').Turn} turn
 * @property {import('./api.js').Step[]} steps
 * @property {import('./api.js').Usage | null} usage
 * @property {import('./api.js').Action[]} actions What the turn waits for.
 * @property {string[]} messages Text of each message so far.
 * @property {{ number: number, event: import('./stream.js').TurnEvent }[]} events The last ones, as they came.
 * @property {Map<string, string>} progress What tools last said of themselves, by call id.
 * @property {number} restarts How often text was taken back.
 * @property {import('./stream.js').Connection} connection
 * @property {string | null} problem Why it cannot be shown.
 */

const EVENTS_KEPT = 500;
const REDRAW_MS = 40;
const READ_EVERY_MS = 300;
const READ_AGAIN_MS = 1_500;

/** Events after which steps, usage or status are other ones. */
const TELLING = /^turn\.(started|step|rewind|requires_action|action_decided|done)$/;

/**
 * Follows a turn: its text from the stream, steps and usage from the API.
 * @param {import('./api.js').Turn} turn
 * @param {(watched: Watched) => void} onChange
 * @param {AbortSignal} signal
 */
export function watchTurn(turn, onChange, signal) {
  const transcript = createTranscript();
  /** @type {Watched} */
  const watched = {
    ...{ turn, steps: [], usage: null, actions: [], messages: [], events: [], progress: new Map() },
    ...{ restarts: 0, connection: 'connecting', problem: null },
  };
  const changed = gathered(() => !signal.aborted && onChange(watched));
  const readAgain = oneAtATime(async () => {
    Object.assign(watched, await readTurn(turn.id, signal));
    changed();
  }, signal);

  /** @param {number} number @param {import('./stream.js').TurnEvent} event */
  const take = (number, event) => {
    transcript.read(number, event);
    watched.messages = transcript.texts();
    watched.events.push({ number, event });
    if (watched.events.length > EVENTS_KEPT) watched.events.shift();
    if (event.type === 'response.output_text.delta') rememberFirstText(turn.id);
    if (event.type === 'turn.rewind') watched.restarts += 1;
    if (event.type === 'turn.tool_progress') {
      watched.progress.set(String(event['call_id']), String(event['message']));
    }
    if (TELLING.test(event.type)) readAgain();
    changed();
  };

  const follow = async () => {
    const onConnection = (/** @type {import('./stream.js').Connection} */ connection) => {
      watched.connection = connection;
      changed();
    };
    try {
      await followTurn(turn.id, { onEvent: take, onConnection }, signal);
    } catch (error) {
      watched.problem = explain(error);
      changed();
    }
  };

  readAgain();
  void follow();
}

/** Calls once for many changes within a moment; not by animation frames, which tabs in the background do not get.
 * @param {() => void} draw */
function gathered(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      draw();
    }, REDRAW_MS);
  };
}

/**
 * Runs `work` for each call, but never twice at once, and again until it has succeeded after the last call.
 * @param {() => Promise<void>} work @param {AbortSignal} signal
 */
function oneAtATime(work, signal) {
  let wanted = false;
  let running = false;
  const run = async () => {
    running = true;
    while (wanted && !signal.aborted) {
      wanted = false;
      const worked = await work().then(
        () => true,
        () => false,
      );
      wanted ||= !worked;
      await new Promise((resolve) => setTimeout(resolve, worked ? READ_EVERY_MS : READ_AGAIN_MS));
    }
    running = false;
  };
  return () => {
    wanted = true;
    if (!running) void run();
  };
}
