import type { WriteStream } from 'node:tty';

const WIDTH = 40;
const REDRAW_MS = 100;
const PLAIN_STEP = 0.1;

export interface ProgressBar {
  advance(): void;
  end(): void;
}

/** One moving line on a terminal, a line every tenth elsewhere. */
export function createProgressBar(stream: WriteStream, total: number): ProgressBar {
  const startedAt = Date.now();
  const moving = stream.isTTY;
  let done = 0;
  let drawnAt = 0;
  let told = 0;

  const draw = () => {
    const share = total === 0 ? 1 : done / total;
    const filled = Math.round(share * WIDTH);
    const perSecond = done / Math.max(0.001, (Date.now() - startedAt) / 1_000);
    const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
    const line = `${bar} ${done}/${total}  ${perSecond.toFixed(1)} turns/s`;
    stream.write(moving ? `\r\u001b[2K${line}` : `${line}\n`);
  };
  const isDue = () => {
    if (moving) return Date.now() - drawnAt >= REDRAW_MS;
    return done / total >= told + PLAIN_STEP;
  };
  return {
    advance() {
      done += 1;
      if (!isDue()) return;
      drawnAt = Date.now();
      told = done / total;
      draw();
    },
    end() {
      draw();
      if (moving) stream.write('\n');
    },
  };
}
