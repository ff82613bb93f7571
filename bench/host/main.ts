/**
 * A contestant's process: `main.ts <name>`. It does one command at a time, and ends with the process that started it.
 */
import type { Contestant } from '../contestant.ts';
import { CONTESTANTS, type ContestantName } from '../contestants/index.ts';
import { grow, runLoad, runTurns } from './work.ts';
import type { Answer, Commands, Request } from './protocol.ts';

const contestant = await CONTESTANTS[process.argv[2] as ContestantName].create();
const commands = commandsOf(contestant);

process.on('message', (request: Request) => void perform(request).then(answer));
process.on('disconnect', () => process.exit());

function commandsOf(contestant: Contestant): Commands {
  return {
    async start(setup) {
      await contestant.start(setup);
      return contestant.processes();
    },
    runTurns: (count) => runTurns(contestant, count),
    runLoad: (load) => runLoad(contestant, load),
    grow: (turns) => grow(contestant, turns),
    stop: () => contestant.stop(),
  };
}

async function perform({ command, argument }: Request): Promise<Answer> {
  try {
    const work = commands[command] as (argument: unknown) => Promise<unknown>;
    return { result: await work(argument) };
  } catch (error) {
    return { error: error instanceof Error ? String(error.stack) : String(error) };
  }
}

function answer(message: Answer): void {
  process.send?.(message);
}
