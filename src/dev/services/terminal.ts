import { textFlow } from './text-flow.ts';
import type { TextFlow } from './text-flow.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
const PLAIN_STATUS_EVERY_MS = 2_000;
const MAX_WIDTH = 100;
const INDENT = '   ';
const CLEAR_LINE = '\r\u001b[2K';

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

export type Style = Readonly<Record<keyof typeof CODES, (text: string) => string>>;

/** What a terminal needs of a stream; `process.stdout` and `process.stderr` fit. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  hasColors?(): boolean;
  write(text: string): unknown;
}

/** Where people watch: colours and a moving last line on a terminal, whole plain lines everywhere else. */
export interface Terminal {
  readonly style: Style;
  line: (text?: string) => void;
  /** Says what is being waited for until something else is written, or null; plain lines of it come now and then. */
  status: (text: string | null) => void;
  /** A piece of running text, shown at once and wrapped between words. Whatever else is written ends its line. */
  text: (piece: string) => void;
}

export function openTerminal(stream: TerminalStream, options: { dumb: boolean }): Terminal {
  const animated = stream.isTTY === true && !options.dumb;
  // `hasColors` respects NO_COLOR.
  const style = createStyle(animated && stream.hasColors?.() === true);
  const status = animated ? movingStatus(stream, style) : plainStatus(stream);
  let flow: TextFlow | null = null;
  const endText = () => {
    flow?.end();
    flow = null;
  };
  const openText = () => {
    status(null);
    const width = Math.min(columnsOf(stream), MAX_WIDTH);
    const write = (text: string) => stream.write(text);
    return textFlow({ write, whole: !animated, width, indent: INDENT });
  };
  return {
    style,
    line(text = '') {
      endText();
      status(null);
      stream.write(`${text}\n`);
    },
    status(text) {
      endText();
      status(text);
    },
    text(piece) {
      flow ??= openText();
      flow.write(piece);
    },
  };
}

/** Some terminals say 0. */
function columnsOf({ columns = 0 }: TerminalStream): number {
  return columns > 0 ? columns : MAX_WIDTH;
}

/** For those who may still be at work when everybody else is leaving: says nothing once `signal` is aborted. */
export function silentAfter(signal: AbortSignal, terminal: Terminal): Terminal {
  const unless =
    <T>(say: (text: T) => void) =>
    (text: T) => {
      if (!signal.aborted) say(text);
    };
  const { style, line, status, text } = terminal;
  return { style, line: unless(line), status: unless(status), text: unless(text) };
}

function createStyle(colours: boolean): Style {
  const paint = ([on, off]: readonly [number, number]) =>
    colours ? (text: string) => `\u001b[${on}m${text}\u001b[${off}m` : (text: string) => text;
  const styles = Object.entries(CODES).map(([name, codes]) => [name, paint(codes)]);
  return Object.fromEntries(styles) as Style;
}

function movingStatus(stream: TerminalStream, style: Style): Terminal['status'] {
  let timer: NodeJS.Timeout | null = null;
  const stop = () => {
    if (timer === null) return;
    clearInterval(timer);
    timer = null;
    stream.write(CLEAR_LINE);
  };
  return (text) => {
    stop();
    if (text === null) return;
    const since = Date.now();
    const draw = () => {
      const passed = Date.now() - since;
      const frame = FRAMES[Math.floor(passed / FRAME_MS) % FRAMES.length] ?? '';
      const seconds = passed < 1_000 ? '' : `  ${Math.floor(passed / 1_000)} s`;
      const shown = `${INDENT}${frame} ${text}${seconds}`.slice(0, columnsOf(stream) - 1);
      stream.write(`${CLEAR_LINE}${style.dim(shown)}`);
    };
    timer = setInterval(draw, FRAME_MS).unref();
    draw();
  };
}

function plainStatus(stream: TerminalStream): Terminal['status'] {
  let writtenAt = -Infinity;
  return (text) => {
    if (text === null || Date.now() - writtenAt < PLAIN_STATUS_EVERY_MS) return;
    writtenAt = Date.now();
    stream.write(`${INDENT}… ${text}\n`);
  };
}

/** Text of others, without characters that would move the cursor or change colours. */
export function printable(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/(?!\n)\p{Cc}/gu, ' ');
}
