import { activityInfo } from '@temporalio/activity';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Stay } from '../../support/points.ts';
import type { Boundary } from './faults.ts';

/** Where each workflow is to stay, by the id of its turn or conversation; null for one that is let go. */
type Holds = Record<string, Held | null>;

interface Held {
  /** Of the turn, in the model's script. */
  name: string;
  boundary: Boundary;
}

const LOOK_EVERY_MS = 20;
const ARRIVAL_LIMIT_MS = 90_000;

/** Holds turns of the workers that were given the same folder. */
export interface Holder {
  /**
   * Says where a turn is to stay, by its own id and that of its conversation, whose summary is of it too: until that is
   * said it stays at the first boundary it comes to.
   */
  hold(ids: string[], held: Held): Promise<void>;
  /** Resolves when so many turns are held, and have come to their boundaries. */
  allHeld(count: number): Promise<void>;
  letAllGo(): Promise<void>;
}

export function holderIn(folder: string): Holder {
  const files = filesIn(folder);
  let holds: Holds = {};
  let writing = Promise.resolve();
  const write = () => {
    // In one piece: workers read it at any time.
    writing = writing.then(async () => {
      await writeFile(`${files.holds}.new`, JSON.stringify(holds));
      await rename(`${files.holds}.new`, files.holds);
    });
    return writing;
  };
  return {
    hold(ids, held) {
      holds = { ...holds, ...Object.fromEntries(ids.map((id) => [id, held])) };
      return write();
    },
    async allHeld(count) {
      const deadline = Date.now() + ARRIVAL_LIMIT_MS;
      for (;;) {
        const held = boundariesOf(holds);
        const there = await readFile(files.arrivals, 'utf8').catch(() => '');
        const missing = [...held].filter(([name]) => !there.includes(`${name}\n`));
        if (held.size === count && missing.length === 0) return;
        if (Date.now() > deadline) throw new Error(`Turns have not come: ${listOf(missing)}.`);
        await delay(LOOK_EVERY_MS);
      }
    },
    letAllGo() {
      holds = Object.fromEntries(Object.keys(holds).map((id) => [id, null]));
      return write();
    },
  };
}

/** By the names of turns that are held. */
function boundariesOf(holds: Holds): Map<string, Boundary> {
  const held = Object.values(holds).filter((each) => each !== null);
  return new Map(held.map(({ name, boundary }) => [name, boundary]));
}

function listOf(held: [string, Boundary][]): string {
  return held.map(([name, boundary]) => `${name} to "${boundary}"`).join(', ');
}

/** In a worker: stays at the boundary where the turn of this activity is held. */
export function stayIn(folder: string): Stay {
  const files = filesIn(folder);
  const heldAt = (id: string): Held | null | undefined =>
    existsSync(files.holds)
      ? (JSON.parse(readFileSync(files.holds, 'utf8')) as Holds)[id]
      : undefined;
  return async (point) => {
    const id = idOfActivity();
    if (id === null) return;
    while (heldAt(id) === undefined) await delay(LOOK_EVERY_MS);
    const held = heldAt(id);
    if (held?.boundary !== point) return;
    appendFileSync(files.arrivals, `${held.name}\n`);
    while (heldAt(id)?.boundary === point) await delay(LOOK_EVERY_MS);
  };
}

/** Of its turn or conversation; null outside of an activity: a sweep is not held. */
function idOfActivity(): string | null {
  try {
    return (
      activityInfo().workflowExecution?.workflowId.replace(/^(compensate|summary):/, '') ?? null
    );
  } catch {
    return null;
  }
}

function filesIn(folder: string) {
  return { holds: `${folder}/holds.json`, arrivals: `${folder}/arrivals` };
}
