/**
 * Answers what our session makes of events, so that somebody can compare it with what another session makes of them.
 *
 * Each line of standard input is one event as JSON: `new`, or a method's name with its arguments. Each gets one line:
 * the effects as lists, or `"bug"` for a `LocalProtocolError`.
 */

import { createInterface } from 'node:readline';

import { LocalProtocolError } from '../src/errors.ts';
import type { ServerFrame } from '../src/frames.ts';
import { fromHex, toHex } from '../src/hex.ts';
import type { RoomUri } from '../src/ids.ts';
import { type Effect, type Entry, type Outgoing, Session } from '../src/client/session.ts';

interface Event {
  readonly do: string;
  readonly room: RoomUri;
  readonly seq: number;
  readonly epoch: number;
  readonly now: number;
  readonly random: number;
  readonly queue: readonly Outgoing[];
  readonly gone: readonly string[];
  readonly frames: readonly Record<string, unknown>[];
}

let session = new Session();

function happens(event: Event): readonly Effect[] | number | null {
  const [item] = event.queue;
  switch (event.do) {
    case 'new':
      session = new Session();
      return [];
    case 'open_room':
      return session.openRoom(event.room, event.seq, event.epoch, event.queue);
    case 'queue':
      return item === undefined ? [] : session.queue(event.room, item);
    case 'built':
      return item === undefined ? [] : session.built(event.room, item);
    case 'dropped':
      return session.dropped(event.room, event.gone);
    case 'stored':
      return session.stored(event.room, event.seq, event.epoch, event.gone);
    case 'start':
      return session.start();
    case 'stop':
      return session.stop();
    case 'opened':
      session.opened(event.now);
      return [];
    case 'lost':
      return session.lost(event.now, 'lost', event.random);
    case 'hurry':
      session.hurry(event.now);
      return [];
    case 'next_timer_ms':
      return session.nextTimerMs(event.now);
    case 'tick':
      return session.tick(event.now);
    case 'receive':
      return session.receive(event.frames.map(frame), event.now);
    default:
      throw new Error(`no such event: ${event.do}`);
  }
}

function frame({ submissionId, heads, ...rest }: Record<string, unknown>): ServerFrame {
  const fields = {
    ...rest,
    ...(submissionId === undefined ? {} : { submissionId: submissionId && fromHex(submissionId as string) }),
    ...(heads === undefined ? {} : { heads: new Map(Object.entries(heads as object)) }),
  };
  return fields as unknown as ServerFrame;
}

function plain(effect: Effect): unknown[] {
  switch (effect.effect) {
    case 'connect':
      return ['connect', Object.fromEntries(effect.cursors)];
    case 'disconnect':
      return ['disconnect', effect.reason, effect.forgetToken];
    case 'acknowledge':
      return ['ack', effect.frame.room, effect.frame.seq];
    case 'submit':
    case 'build':
      return [effect.effect, effect.room, effect.submissionId];
    case 'process':
      return ['process', Object.fromEntries(Array.from(effect.entries, ([room, run]) => [room, run.map(place)]))];
    case 'fail':
      return ['fail', effect.room, effect.submissionId, effect.problem];
    case 'refresh':
      return ['refresh', effect.what];
    case 'tell_state':
      return ['tell_state', effect.state, effect.reason];
    case 'see_typing':
      return ['see_typing', effect.room, effect.user];
    case 'tell_fault':
      return ['tell_fault', effect.room, effect.check];
  }
}

function place(entry: Entry): unknown[] {
  return [entry.frame, entry.seq, entry.frame === 'accepted' ? toHex(entry.submissionId) : null];
}

function answer(event: Event): unknown {
  try {
    const effects = happens(event);
    return Array.isArray(effects) ? effects.map((effect) => plain(effect as Effect)) : effects;
  } catch (error) {
    if (error instanceof LocalProtocolError) return 'bug';
    throw error;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line) as Event))}\n`);
}
