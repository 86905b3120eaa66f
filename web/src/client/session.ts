/**
 * What one device does next: a state machine, events in, effects out; the same as `nightlight/client/session.py`.
 *
 * It keeps the connection, each room's order and each room's outbox. No I/O, no clock, no randomness: `nowMs` is of a
 * clock that never jumps, and the device's store tells what is durable.
 *
 * Each room has one submission under way at a time, so that no refusal can let a later message overtake an earlier one.
 */

import { LocalProtocolError, type ProblemName } from '../errors.ts';
import type { Accepted, Acknowledge, Delivery, Ready, Refused, Removed, ServerFrame } from '../frames.ts';
import { toHex } from '../hex.ts';
import type { RoomUri, Seq, UserUri } from '../ids.ts';
import type { ConnectionState } from './events.ts';

/** A place in a room's log, as this device sees it. */
export type Entry = Accepted | Delivery | Removed;
/** Each room's entries, in its order. */
export type Entries = ReadonlyMap<RoomUri, readonly Entry[]>;
/** A submission id in hexadecimal. */
export type SubmissionKey = string;

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 60_000;
/** How long the hub may owe us an entry, an answer or its greeting before we ask again, by connecting anew. */
const STALL_MS = 5_000;
/** Entries of one room that wait for an earlier one. */
const MAX_AHEAD = 512;

const TEMPORARY: ReadonlySet<ProblemName> = new Set([
  'too_many',
  'unavailable',
  'internal',
  'wrong_epoch',
  'removal_owed',
]);

type Signal = 'start' | 'ready' | 'caught_up' | 'lost' | 'timer' | 'stop';

/** The connection's states; a pair that is missing is an error. */
export const TRANSITIONS: Readonly<Record<ConnectionState, Partial<Record<Signal, ConnectionState>>>> = {
  offline: { start: 'connecting', stop: 'offline' },
  connecting: { ready: 'catching_up', lost: 'waiting', stop: 'offline' },
  catching_up: { caught_up: 'online', lost: 'waiting', stop: 'offline' },
  online: { lost: 'waiting', stop: 'offline' },
  waiting: { timer: 'connecting', stop: 'offline' },
};

/** One item of a room's outbox. `epoch`: the one it is built for, or null when it is not built. */
export interface Outgoing {
  readonly submissionId: SubmissionKey;
  readonly epoch: number | null;
}

// --- effects --------------------------------------------------------------------------------------------------------

export type Effect =
  /** Open the stream and say Hello with these cursors. */
  | { readonly effect: 'connect'; readonly cursors: ReadonlyMap<RoomUri, number> }
  /** Close the stream; `lost` follows. `forgetToken`: the hub did not take it. */
  | { readonly effect: 'disconnect'; readonly reason: string; readonly forgetToken: boolean }
  /** Send this. */
  | { readonly effect: 'acknowledge'; readonly frame: Acknowledge }
  /** Send what the outbox holds under this id. */
  | { readonly effect: 'submit'; readonly room: RoomUri; readonly submissionId: SubmissionKey }
  /** Build this item for the room's epoch, make it durable, and say `built`. */
  | { readonly effect: 'build'; readonly room: RoomUri; readonly submissionId: SubmissionKey }
  /** Process these entries, make it durable, and say `stored` for each room. */
  | { readonly effect: 'process'; readonly entries: Entries }
  /** The hub refused this for good; record that and say `dropped`. */
  | {
      readonly effect: 'fail';
      readonly room: RoomUri;
      readonly submissionId: SubmissionKey;
      readonly problem: ProblemName;
    }
  /** Read again what HTTP tells: `contacts` or `key_packages`. */
  | { readonly effect: 'refresh'; readonly what: string }
  /** The application hears of the connection's new state. */
  | { readonly effect: 'tell_state'; readonly state: ConnectionState; readonly reason: string | null }
  /** The hub says that `user` is writing in `room`. */
  | { readonly effect: 'see_typing'; readonly room: RoomUri; readonly user: UserUri }
  /** The hub broke a rule; record it. */
  | { readonly effect: 'tell_fault'; readonly room: RoomUri | null; readonly check: string };

/** `stored` ≤ `released`: durable here, handed out for processing. null: the log has not begun for us. */
class Room {
  stored: number | null;
  released: number | null;
  epoch: number;
  queue: Outgoing[];
  head = 0;
  ahead = new Map<number, Entry>();
  flying = false;
  wantedEpoch = 0;
  retryAtMs: number | null = null;
  refusals = 0;
  /** The place from which we asked again for what is missing; asking twice is no use. */
  askedFrom: number | null = null;
  /** When we lose patience, if the hub owes us something. */
  stalledAtMs: number | null = null;

  constructor(stored: number | null, epoch: number, queue: readonly Outgoing[]) {
    this.stored = this.released = stored;
    this.epoch = epoch;
    this.queue = [...queue];
  }

  get behind(): boolean {
    return this.ahead.size > 0 || (this.released ?? 0) < this.head;
  }

  /** What is contiguous is handed out. */
  release(into: Entry[]): void {
    for (;;) {
      const next = this.released === null ? undefined : this.ahead.get(this.released + 1);
      if (next === undefined) return;
      this.ahead.delete(next.seq);
      into.push(next);
      this.released = next.seq;
      this.askedFrom = this.stalledAtMs = null;
    }
  }

  /** Whether this repeat answers what is still under way: its first answer was in what the hub lost. */
  answers(entry: Entry): boolean {
    return entry.frame === 'accepted' && this.flying && this.queue[0]?.submissionId === toHex(entry.submissionId);
  }
}

/** The state of one device. Methods are events; what they return is to be done, in that order. */
export class Session {
  readonly #rooms = new Map<RoomUri, Room>();
  #state: ConnectionState = 'offline';
  #attempts = 0;
  #retryAtMs: number | null = null;
  #greetedByMs: number | null = null;

  get state(): ConnectionState {
    return this.#state;
  }

  // --- what the store holds

  /** Whether anything waits to be submitted or answered. */
  get busy(): boolean {
    return this.#states.some((state) => state.queue.length > 0);
  }

  /** This device is or was in `room` and holds its log up to `stored`. */
  openRoom(room: RoomUri, stored: number, epoch: number, queue: readonly Outgoing[] = []): Effect[] {
    const state = new Room(stored, epoch, queue);
    this.#rooms.set(room, state);
    return this.#next(room, state);
  }

  /** Whether the room is open, or the hub says that it is. */
  knows(room: RoomUri): boolean {
    return this.#rooms.has(room);
  }

  /** The outbox of `room` ends with `item`. */
  queue(room: RoomUri, item: Outgoing): Effect[] {
    const state = this.#known(room);
    state.queue.push(item);
    return this.#next(room, state);
  }

  /** The outbox of `room` begins with `item`; what is under way there is submitted again after it. */
  queueFirst(room: RoomUri, item: Outgoing): Effect[] {
    const state = this.#known(room);
    state.queue.unshift(item);
    state.flying = false;
    state.retryAtMs = null;
    state.refusals = 0;
    return this.#next(room, state);
  }

  /** The first item of the outbox is built and durable. */
  built(room: RoomUri, item: Outgoing): Effect[] {
    const state = this.#known(room);
    if (state.queue[0]?.submissionId !== item.submissionId) {
      throw new LocalProtocolError('built what is not first in the outbox');
    }
    state.queue[0] = item;
    return this.#next(room, state);
  }

  /** The outbox does not hold these any more. */
  dropped(room: RoomUri, submissionIds: readonly SubmissionKey[]): Effect[] {
    const state = this.#rooms.get(room);
    return state === undefined ? [] : this.#drop(room, state, new Set(submissionIds));
  }

  /** The log up to `seq` is durable, the group is in `epoch`, and the outbox no longer holds `settled`. */
  stored(room: RoomUri, seq: number, epoch: number, settled: readonly SubmissionKey[] = []): Effect[] {
    const state = this.#known(room);
    const moved = seq > (state.stored ?? 0);
    state.stored = Math.max(seq, state.stored ?? 0);
    state.released = Math.max(state.released ?? 0, state.stored);
    if (epoch !== state.epoch) {
      state.epoch = epoch;
      state.retryAtMs = null;
      state.refusals = 0;
    }
    const effects: Effect[] = [];
    if (moved && this.#connected) effects.push(acknowledge(room, state.stored));
    return [...effects, ...this.#drop(room, state, new Set(settled)), ...this.#caughtUp()];
  }

  // --- the connection

  /** The application wants a connection. */
  start(): Effect[] {
    return [this.#move('start'), this.#connect()];
  }

  /** The application wants no connection. */
  stop(reason: string | null = null): Effect[] {
    this.#forgetConnection();
    this.#retryAtMs = null;
    return [this.#move('stop', reason)];
  }

  /** The stream is open, and Hello is sent. */
  opened(nowMs: number): void {
    this.#greetedByMs = nowMs + STALL_MS;
  }

  /** The stream ended or could not be opened. `random`: from 0 to 1, so that clients return apart. */
  lost(nowMs: number, reason: string, random: number): Effect[] {
    this.#forgetConnection();
    const backoff = backoffMs(this.#attempts);
    this.#attempts += 1;
    this.#retryAtMs = nowMs + Math.floor((backoff / 2) * (1 + random));
    return [this.#move('lost', reason)];
  }

  /** If the session waits to connect, it waits no longer: the network is back. */
  hurry(nowMs: number): void {
    if (this.#retryAtMs === null) return;
    this.#retryAtMs = nowMs;
    this.#attempts = 0;
  }

  /** When `tick` is due, or null. From now on, time runs for whatever the hub owes us. */
  nextTimerMs(nowMs: number): number | null {
    const times = [this.#retryAtMs, this.#greetedByMs];
    for (const state of this.#states) {
      if (!this.#connected || !(state.flying || state.behind)) state.stalledAtMs = null;
      else state.stalledAtMs ??= nowMs + STALL_MS;
      times.push(state.retryAtMs, state.stalledAtMs);
    }
    const due = times.filter((at) => at !== null);
    return due.length === 0 ? null : Math.min(...due);
  }

  /** Whatever was due by `nowMs` is done. */
  tick(nowMs: number): Effect[] {
    const effects: Effect[] = [];
    if (this.#retryAtMs !== null && nowMs >= this.#retryAtMs) {
      this.#retryAtMs = null;
      effects.push(this.#move('timer'), this.#connect());
    }
    if (this.#greetedByMs !== null && nowMs >= this.#greetedByMs) return [...effects, disconnect('no greeting')];
    effects.push(...this.#stalled(nowMs));
    for (const [room, state] of this.#rooms) {
      if (state.retryAtMs !== null && nowMs >= state.retryAtMs) {
        state.retryAtMs = null;
        effects.push(...this.#next(room, state));
      }
    }
    return effects;
  }

  /** These frames came, in this order. */
  receive(frames: readonly ServerFrame[], nowMs: number): Effect[] {
    const effects: Effect[] = [];
    const arrived = new Map<RoomUri, Entry[]>();
    for (const frame of frames) {
      switch (frame.frame) {
        case 'accepted':
        case 'deliver':
        case 'removed':
          effects.push(...this.#arrive(frame, arrived));
          break;
        case 'refused':
          effects.push(...this.#refused(frame, nowMs));
          break;
        case 'ready':
          if (this.#state === 'connecting') effects.push(...this.#ready(frame));
          break;
        case 'wake':
          effects.push({ effect: 'refresh', what: frame.what });
          break;
        case 'goodbye':
          effects.push(disconnect(frame.reason));
          break;
        case 'typing':
          effects.push({ effect: 'see_typing', room: frame.room as RoomUri, user: frame.user as UserUri });
      }
    }
    if (arrived.size > 0) effects.push({ effect: 'process', entries: arrived });
    this.#waitAnew(arrived);
    return [...effects, ...this.#caughtUp()];
  }

  // --- inside

  get #states(): Room[] {
    return Array.from(this.#rooms.values());
  }

  get #connected(): boolean {
    return this.#state === 'catching_up' || this.#state === 'online';
  }

  #known(room: RoomUri): Room {
    const state = this.#rooms.get(room);
    if (state === undefined) throw new LocalProtocolError('a room that is not open');
    return state;
  }

  #move(signal: Signal, reason: string | null = null): Effect {
    const next = TRANSITIONS[this.#state][signal];
    if (next === undefined) throw new LocalProtocolError(`${signal} while ${this.#state}`);
    this.#state = next;
    return { effect: 'tell_state', state: next, reason };
  }

  #connect(): Effect {
    const cursors = new Map<RoomUri, number>();
    for (const [room, { stored }] of this.#rooms) if (stored !== null) cursors.set(room, stored);
    return { effect: 'connect', cursors };
  }

  #forgetConnection(): void {
    this.#greetedByMs = null;
    for (const [room, state] of this.#rooms) {
      state.flying = false;
      state.head = 0;
      state.released = state.stored;
      state.retryAtMs = state.stalledAtMs = null;
      state.ahead.clear();
      if (state.stored === null && state.askedFrom === null) this.#rooms.delete(room);
    }
  }

  #ready(frame: Ready): Effect[] {
    this.#greetedByMs = null;
    for (const [room, head] of frame.heads) this.#room(room as RoomUri).head = head;
    const effects = [this.#move('ready')];
    for (const [room, state] of this.#rooms) effects.push(...this.#next(room, state));
    return effects;
  }

  #caughtUp(): Effect[] {
    if (this.#state !== 'catching_up') return [];
    if (this.#states.some((state) => (state.stored ?? 0) < state.head)) return [];
    this.#attempts = 0;
    return [this.#move('caught_up')];
  }

  #room(room: RoomUri): Room {
    let state = this.#rooms.get(room);
    if (state === undefined) this.#rooms.set(room, (state = new Room(null, 0, [])));
    return state;
  }

  /** `entry` is released with what follows it, kept until its turn, or dropped as a repeat. */
  #arrive(entry: Entry, arrived: Map<RoomUri, Entry[]>): Effect[] {
    const room = entry.room as RoomUri;
    const state = this.#room(room);
    if (begins(entry) && entry.seq > (state.released ?? 0)) {
      state.released = entry.seq - 1;
      for (const seq of state.ahead.keys()) if (seq <= entry.seq) state.ahead.delete(seq);
    }
    if (state.released !== null && entry.seq <= state.released) {
      if (entry.seq <= (state.stored ?? 0) && state.answers(entry)) hand(arrived, room, [entry]);
      return entry.frame === 'removed' ? [acknowledge(room, entry.seq)] : [];
    }
    if (state.ahead.size >= MAX_AHEAD && entry.seq !== (state.released ?? 0) + 1) {
      return [disconnect('too far ahead')];
    }
    state.ahead.set(entry.seq, entry);
    const released: Entry[] = [];
    state.release(released);
    hand(arrived, room, released);
    return [];
  }

  /**
   * The hub hands out what was missed, a room after the other: whoever waits their turn does so from now on.
   *
   * It holds nobody up for ever, since what was missed ends at the heads that it has named.
   */
  #waitAnew(arrived: ReadonlyMap<RoomUri, readonly Entry[]>): void {
    const missed = [...arrived].some(([room, [first]]) => first !== undefined && first.seq <= this.#room(room).head);
    if (this.#state !== 'catching_up' || !missed) return;
    for (const state of this.#states) if (state.ahead.size === 0) state.stalledAtMs = null;
  }

  /** What is missing is asked for again; where that was tried, the room goes on without it. */
  #stalled(nowMs: number): Effect[] {
    const effects: Effect[] = [];
    const skipped = new Map<RoomUri, Entry[]>();
    for (const [room, state] of this.#rooms) {
      if (state.stalledAtMs === null || nowMs < state.stalledAtMs) continue;
      state.stalledAtMs = null;
      if (!state.behind || state.askedFrom !== (state.released ?? 0)) {
        state.askedFrom = state.released ?? 0;
        return [disconnect('the server does not answer')];
      }
      effects.push({ effect: 'tell_fault', room, check: 'NL-501' }); // NL-501: a room's log is contiguous
      if (state.ahead.size > 0) {
        state.released = Math.min(...state.ahead.keys()) - 1;
        const released: Entry[] = [];
        state.release(released);
        hand(skipped, room, released);
      } else state.head = state.askedFrom;
    }
    if (skipped.size > 0) effects.push({ effect: 'process', entries: skipped });
    return [...effects, ...this.#caughtUp()];
  }

  #refused(frame: Refused, nowMs: number): Effect[] {
    if (frame.problem === 'unauthenticated') {
      return [{ ...disconnect('unauthenticated'), forgetToken: true }];
    }
    const refused = frame.submissionId === null ? null : toHex(frame.submissionId);
    for (const [room, state] of this.#rooms) {
      const first = state.queue[0];
      if (!state.flying || first?.submissionId !== refused) continue;
      state.flying = false;
      state.stalledAtMs = null;
      if (!TEMPORARY.has(frame.problem)) {
        return [{ effect: 'fail', room, submissionId: first.submissionId, problem: frame.problem }];
      }
      if (frame.problem === 'wrong_epoch') {
        state.wantedEpoch = frame.epoch ?? 0;
        if (first.epoch !== state.epoch || state.wantedEpoch > state.epoch) return this.#next(room, state);
      }
      const waitMs = frame.retryAfterMs ?? 0;
      state.retryAtMs = nowMs + (waitMs > 0 ? waitMs : backoffMs(state.refusals));
      state.refusals += 1;
      if (frame.problem === 'removal_owed') {
        // A commit has to remove what we did not know of.
        state.queue[0] = { ...first, epoch: null };
        return [{ effect: 'refresh', what: 'rooms' }];
      }
      return [];
    }
    return [];
  }

  #drop(room: RoomUri, state: Room, gone: ReadonlySet<SubmissionKey>): Effect[] {
    if (state.queue[0] !== undefined && gone.has(state.queue[0].submissionId)) {
      state.flying = false;
      state.refusals = 0;
      state.retryAtMs = null;
    }
    state.queue = state.queue.filter((item) => !gone.has(item.submissionId));
    return this.#next(room, state);
  }

  /** The first item of the outbox is built or submitted, if its time has come. */
  #next(room: RoomUri, state: Room): Effect[] {
    const first = state.queue[0];
    if (!this.#connected || state.flying || first === undefined || state.retryAtMs !== null) return [];
    if (state.stored === null || state.stored < state.head || state.epoch < state.wantedEpoch) return [];
    const { submissionId } = first;
    if (first.epoch !== state.epoch) return [{ effect: 'build', room, submissionId }];
    state.flying = true;
    state.stalledAtMs = null;
    return [{ effect: 'submit', room, submissionId }];
  }
}

function disconnect(reason: string): Extract<Effect, { effect: 'disconnect' }> {
  return { effect: 'disconnect', reason, forgetToken: false };
}

function acknowledge(room: RoomUri, seq: number): Effect {
  return { effect: 'acknowledge', frame: { frame: 'ack', room, seq: seq as Seq } };
}

function backoffMs(failures: number): number {
  return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures);
}

function hand(into: Map<RoomUri, Entry[]>, room: RoomUri, entries: readonly Entry[]): void {
  if (entries.length > 0) into.set(room, [...(into.get(room) ?? []), ...entries]);
}

function begins(entry: Entry): boolean {
  return entry.frame === 'deliver' && entry.kind === 'welcome';
}
