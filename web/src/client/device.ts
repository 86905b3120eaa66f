/**
 * One device without its network: the session's effects on the store, and what a person does with it.
 *
 * What is done here is durable once it returns, or not done at all; what only the server can do is handed on as errands.
 * One thing is done at a time, whoever asks.
 */

import type { Bytes } from '../codec.ts';
import { type MimiContent, roomOf } from '../content.ts';
import { LocalProtocolError, type ProblemName, RefusedError } from '../errors.ts';
import { encodeFrankingAgent, type FrankingAgent } from '../franking.ts';
import { decodeRoles, encodeRoles, owed, Role } from '../roles.ts';
import type { ClientFrame, ServerFrame } from '../frames.ts';
import { fromHex, toHex } from '../hex.ts';
import { providerOf, type RoomUri, roomUri, type SubmissionId, type UserUri } from '../ids.ts';
import { MlsError } from '../mls/errors.ts';
import { Author, checkLifetime } from './author.ts';
import type { Event, FaultSeen, MessageKey } from './events.ts';
import { Groups } from './groups.ts';
import { HUB, Inbox, type Outcome, RECEIPT_MEMBERS } from './inbox.ts';
import { Lock } from './lock.ts';
import { Outbox } from './outbox.ts';
import {
  follows,
  FRESH_KEYS,
  type Identity,
  type Intent,
  isOpen,
  newRoom,
  type OutboxItem,
  type RoomRecord,
} from './records.ts';
import { type Effect, type Entries, Session, type SubmissionKey } from './session.ts';
import type { Store } from './store.ts';
import { monotonicMs, now } from './surroundings.ts';
import { type Asked, LookUp, NOTHING_ASKED, Trust } from './trust.ts';

/** How often the others are told of somebody who goes on writing. */
const TYPING_EVERY_MS = 3000;

/** Ask the server what `lookup` names, and `resume` with these entries. `asked`: before, for their sake. */
export interface Ask {
  readonly effect: 'ask';
  readonly lookup: LookUp;
  readonly asked: Asked;
  readonly entries: Entries;
}

/** What only the network can do. */
export type Errand =
  | Extract<Effect, { effect: 'connect' | 'disconnect' | 'refresh' }>
  | { readonly effect: 'send'; readonly frame: ClientFrame }
  | Ask;

/** In how many rooms a device is, of how many. */
export interface RoomsOfDevice {
  readonly there: number;
  readonly rooms: number;
}

/** A submission that is over, and why if it was refused. */
export type Finished = readonly [SubmissionKey, ProblemName | null];

const DEPARTURES: Effect = { effect: 'refresh', what: 'departures' };
const LOST: Effect = { effect: 'refresh', what: 'lost' };

/** What this device holds. Whoever has it takes `errands`, `events` and `finished` after each call. */
export class Device {
  readonly session = new Session();
  readonly store: Store;
  readonly groups: Groups;
  readonly trust: Trust;
  errands: Errand[] = [];
  events: Event[] = [];
  finished: Finished[] = [];
  #identity: Identity;
  readonly #author: Author;
  readonly #typingAgainMs = new Map<RoomUri, number>();
  readonly #inbox: Inbox;
  readonly outbox: Outbox;
  readonly #lock = new Lock();
  /** Rooms where the hub refused that a device goes which its user's list does not name. */
  readonly #unremovable = new Set<RoomUri>();

  private constructor(identity: Identity, store: Store, groups: Groups) {
    this.#identity = identity;
    this.store = store;
    this.groups = groups;
    this.trust = new Trust(store, now);
    this.#author = new Author(identity.user, store);
    this.#inbox = new Inbox(identity, store, groups, this.trust);
    this.outbox = new Outbox(identity, store, groups, this.trust);
  }

  /** As the store left it. Throws `StoreError`. */
  static async open(store: Store, identity: Identity): Promise<Device> {
    const device = new Device(identity, store, await Groups.open(store, identity));
    for (const record of store.rooms.values()) {
      if (record.standing !== 'created') await device.#openRoom(record);
    }
    return device;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** This device is `identity` now, which is in the store. */
  become(identity: Identity): void {
    this.#identity = identity;
    this.groups.setCredential(identity.credential);
  }

  /** `work` is done while nothing else is. */
  alone<Value>(work: () => Value | Promise<Value>): Promise<Value> {
    return this.#lock.hold(work);
  }

  // --- events for the session

  start(): Promise<void> {
    return this.alone(() => this.#run(this.session.start()));
  }

  /** `reason`: why there will never be a connection again, if so. */
  stop(reason: string | null = null): Promise<void> {
    return this.alone(() => {
      this.errands = [];
      return this.#run(this.session.stop(reason));
    });
  }

  lost(nowMs: number, reason: string, random: number): Promise<void> {
    return this.alone(() => {
      if (this.session.state === 'offline' || this.session.state === 'waiting') return;
      this.errands = [];
      return this.#run(this.session.lost(nowMs, reason, random));
    });
  }

  tick(nowMs: number): Promise<void> {
    return this.alone(() => this.#run(this.session.tick(nowMs)));
  }

  receive(frames: readonly ServerFrame[], nowMs: number): Promise<void> {
    return this.alone(() => this.#run(this.session.receive(frames, nowMs)));
  }

  /** The server was asked: the entries are processed with what it said, or refused. */
  resume({ lookup, asked, entries }: Ask): Promise<void> {
    return this.alone(async () => this.#run(await this.#process(entries, lookup.with(asked))));
  }

  // --- effects

  /** The effects are carried out, and those that follow from them. */
  async #run(effects: readonly Effect[]): Promise<void> {
    const todo = [...effects];
    for (let effect = todo.shift(); effect !== undefined; effect = todo.shift()) {
      todo.unshift(...(await this.#carryOut(effect)));
    }
  }

  async #carryOut(effect: Effect): Promise<Effect[]> {
    switch (effect.effect) {
      case 'process':
        return this.#process(effect.entries, NOTHING_ASKED);
      case 'build':
        return this.#build(effect.room, effect.submissionId);
      case 'fail':
        return this.#fail(effect.room, effect.submissionId, effect.problem);
      case 'submit':
        return this.#submit(effect.room, effect.submissionId);
      case 'acknowledge':
        this.errands.push({ effect: 'send', frame: effect.frame });
        return [];
      case 'tell_state':
        this.events.push({ kind: 'connection_changed', state: effect.state, reason: effect.reason });
        return [];
      case 'see_typing':
        this.#seeTyping(effect.room, effect.user);
        return [];
      case 'tell_fault':
        await this.#recordFault(effect.room, effect.check, HUB);
        return [];
      default:
        this.errands.push(effect);
        return [];
    }
  }

  async #process(entries: Entries, asked: Asked): Promise<Effect[]> {
    try {
      return await this.#became(await this.#inbox.process(entries, asked));
    } catch (error) {
      if (!(error instanceof LookUp)) throw error;
      this.errands.push({ effect: 'ask', lookup: error, asked, entries });
      return [];
    }
  }

  async #became({ rooms, events }: Outcome): Promise<Effect[]> {
    this.events.push(...events);
    const effects: Effect[] = [];
    for (const [room, { record, settled }] of rooms) {
      const problem = follows(record) ? null : 'not_found';
      this.finished.push(...settled.map((submissionId) => [submissionId, problem] as const));
      if (!this.session.knows(room)) continue;
      effects.push(...this.session.stored(room, record.cursor, record.epoch, settled), ...(await this.#greet(room)));
      if (isOwing(record)) effects.push(DEPARTURES);
      if (record.standing === 'broken') effects.push(LOST);
    }
    return effects;
  }

  /** Newcomers whom this device let in are told the room's profile. */
  async #greet(room: RoomUri): Promise<Effect[]> {
    const item = await this.outbox.greet(room);
    return item === null ? [] : this.session.queue(room, item);
  }

  async #build(room: RoomUri, submissionId: SubmissionKey): Promise<Effect[]> {
    let item: OutboxItem | null;
    try {
      item = await this.outbox.build(submissionId);
    } catch (error) {
      if (error instanceof RefusedError) return this.#fail(room, submissionId, error.problem);
      if (!(error instanceof MlsError)) throw error;
      return this.#fail(room, submissionId, 'invalid_key_package');
    }
    if (item === null) {
      this.finished.push([submissionId, null]);
      return this.session.dropped(room, [submissionId]);
    }
    return this.session.built(room, item);
  }

  async #fail(room: RoomUri, submissionId: SubmissionKey, problem: ProblemName): Promise<Effect[]> {
    const item = await this.outbox.fail(submissionId, problem);
    const record = this.store.rooms.get(room);
    if (item?.kind === 'commit') {
      if (item.intent.drop.length > 0) this.#unremovable.add(room);
      const told = record !== null && !this.outbox.leaves(item);
      if (told) this.events.push({ kind: 'room_changed', room, members: record.members, joined: true });
    } else if (item?.messageId) {
      const { messageId } = item;
      this.events.push({ kind: 'message_state_changed', room, messageId, state: 'failed', reason: problem });
      await this.#tellChanged(messageId);
    }
    this.finished.push([submissionId, problem]);
    const effects = this.session.dropped(room, [submissionId]);
    if (item === null || !this.outbox.leaves(item)) return effects;
    return [...effects, ...(await this.#became(await this.#inbox.abandon(room)))]; // whatever the hub says
  }

  /** The item is on its way; a message is not while a device is in the room that has to be removed first. */
  async #submit(room: RoomUri, submissionId: SubmissionKey): Promise<Effect[]> {
    const frame = this.#frame(submissionId);
    if (frame.frame === 'submit' && this.#strangers(room)) return this.#fail(room, submissionId, 'new_person');
    const owed = frame.frame === 'submit' ? await this.outbox.owed(room) : [];
    if (owed.length === 0) {
      this.errands.push({ effect: 'send', frame });
      return [];
    }
    if (this.#unremovable.has(room)) return this.#fail(room, submissionId, 'removal_owed');
    const item = await this.groups.transaction(() => this.outbox.commit(room, { ...FRESH_KEYS, drop: owed }, true));
    return this.session.queueFirst(room, item);
  }

  #frame(submissionKey: SubmissionKey): ClientFrame {
    const item = this.store.outbox.get(submissionKey);
    if (!item?.payload) throw new LocalProtocolError('submitting what is not built');
    const submissionId = fromHex(submissionKey) as SubmissionId;
    const { room, payload } = item;
    if (item.kind !== 'commit') return { frame: 'submit', submissionId, room, message: payload };
    return { frame: 'commit', submissionId, room, commit: payload, welcome: item.welcome };
  }

  /** The fault is in the store, and told. */
  recordFault(room: RoomUri | null, check: string, culprit: string): Promise<void> {
    return this.alone(() => this.#recordFault(room, check, culprit));
  }

  async #recordFault(room: RoomUri | null, check: string, culprit: string): Promise<void> {
    const fault: FaultSeen = { kind: 'fault_seen', room, check, culprit, atMs: now() };
    await this.store.transaction(() => {
      this.store.addFault(fault);
    });
    this.events.push(fault);
  }

  // --- messages

  /** What `make` has the author say is durable in the outbox, and what it is about is shown as it leaves it. */
  say(make: (author: Author) => Promise<MimiContent[]>): Promise<MessageKey[]> {
    return this.alone(async () => {
      const said: MessageKey[] = [];
      for (const message of await make(this.#author)) said.push(await this.#say(message, null));
      return said;
    });
  }

  /** The upload is what `make` has the author say of it; null if there is no such upload any more. */
  becomeMessage(uploadId: string, make: (author: Author) => Promise<MimiContent>): Promise<MessageKey | null> {
    return this.alone(async () => {
      if (this.store.uploads.get(uploadId) === null) return null;
      return this.#say(await make(this.#author), uploadId);
    });
  }

  /** Throws what `make` does. */
  wouldSay(make: (author: Author) => Promise<MimiContent>): Promise<void> {
    return this.alone(async () => {
      await make(this.#author);
    });
  }

  async #say(message: MimiContent, uploadId: string | null): Promise<MessageKey> {
    if (this.#strangers(roomOf(message))) throw new RefusedError('new_person');
    const { messageId, item } = await this.outbox.say(message, uploadId);
    if (item !== null) {
      this.events.push({ kind: 'message_state_changed', room: item.room, messageId, state: 'queued', reason: null });
      await this.#tellChanged(messageId);
      await this.#queued(item);
    }
    return messageId;
  }

  /** Whether somebody in `room` has an account key that nobody vouches for. */
  #strangers(room: RoomUri): boolean {
    return this.store.rooms.get(room)?.members.some((member) => this.store.strangers.has(member)) === true;
  }

  /** What `messageId` edits, deletes or reacts to is told of, if it does and that is shown. */
  async #tellChanged(messageId: MessageKey): Promise<void> {
    const target = (await this.store.message(messageId))?.target;
    const message = target ? await this.store.timeline.message(target) : null;
    if (message !== null) this.events.push({ kind: 'message_changed', message });
  }

  /** Messages whose time is over are gone, but for their sealed copies. */
  expire(): Promise<void> {
    return this.alone(async () => {
      const endMs = this.store.timeline.nextEndMs();
      if (endMs === null || endMs > now()) return;
      const expired = await this.store.transaction(() => this.store.timeline.expire());
      this.events.push(...expired.map((gone) => ({ kind: 'message_expired', ...gone }) as const));
    });
  }

  /** What is sent to `room` from here stays so long once it is read. Throws `RefusedError`. */
  setLifetime(room: RoomUri, seconds: number | null): Promise<void> {
    return this.alone(async () => {
      const lifetimeS = checkLifetime(seconds);
      const record = this.store.rooms.get(room);
      if (record === null) throw new RefusedError('not_found');
      await this.store.transaction(() => {
        this.store.rooms.put(room, { ...record, lifetimeS });
      });
    });
  }

  /** Everything in `room` counts as read. Throws `RefusedError` `not_found`. */
  markRead(room: RoomUri): Promise<void> {
    return this.alone(async () => {
      const record = this.store.rooms.get(room);
      if (record === null) throw new RefusedError('not_found');
      const { members, standing } = record;
      if (!(await this.#inbox.markRead(record))) return;
      this.events.push({ kind: 'room_changed', room, members, joined: standing === 'joined' });
    });
  }

  /** The others in `room` see that this person is writing, if that may be told and was not just now. */
  tellTyping(room: RoomUri): void {
    const record = this.store.rooms.get(room);
    if (record?.standing !== 'joined' || record.members.length > RECEIPT_MEMBERS) return;
    if (this.session.state !== 'online' || this.store.settings.get('typing') === false) return;
    const nowMs = monotonicMs();
    if (nowMs < (this.#typingAgainMs.get(room) ?? nowMs)) return;
    this.#typingAgainMs.set(room, nowMs + TYPING_EVERY_MS);
    this.errands.push({ effect: 'send', frame: { frame: 'typing', room } });
  }

  /** Only of somebody in the room; the hub alone says so, and nothing but a line on the screen follows. */
  #seeTyping(room: RoomUri, user: UserUri): void {
    const record = this.store.rooms.get(room);
    if (record?.standing !== 'joined' || !record.members.includes(user) || user === this.identity.user) return;
    if (this.store.settings.get('typing') !== false) this.events.push({ kind: 'typing', room, user });
  }

  /** Whether senders wait to be told something. */
  owesReceipts(): boolean {
    return this.store.receipts.keys().length > 0;
  }

  /** What the senders are owed is at the end of the outbox; nothing, if it has been switched off since. */
  reportReceipts(): Promise<void> {
    const { receipts, settings } = this.store;
    return this.alone(async () => {
      if (settings.get('receipts') === false) {
        await this.store.transaction(() => {
          for (const key of receipts.keys()) receipts.delete(key);
        });
      }
      for (const room of new Set(receipts.values().map((receipt) => receipt.room))) {
        let item = await this.outbox.reportReceipts(room);
        for (; item !== null; item = await this.outbox.reportReceipts(room)) await this.#queued(item);
      }
    });
  }

  async #queued(item: OutboxItem): Promise<void> {
    if (this.session.knows(item.room)) await this.#run(this.session.queue(item.room, item));
  }

  // --- rooms

  async #openRoom(record: RoomRecord): Promise<void> {
    const { room, cursor, epoch } = record;
    await this.#run(this.session.openRoom(room, cursor, epoch, this.store.outboxOf(room)));
    await this.#run(await this.#greet(room));
  }

  /** The room that this device begins under `name`. */
  roomNamed(name: Bytes): RoomUri {
    return roomUri(providerOf(this.identity.user), toHex(name));
  }

  /** `room`, new, and the intent to add `users` are durable; the hub does not know it yet. */
  createRoom(
    room: RoomUri,
    users: readonly UserUri[],
    keyPackages: readonly Bytes[],
    agent: FrankingAgent,
  ): Promise<SubmissionKey> {
    return this.alone(() => {
      const members = Array.from(new Set([this.identity.user, ...users])).sort();
      return this.groups.transaction(async () => {
        const roles = encodeRoles(new Map([[this.identity.user, Role.owner]]));
        this.store.rooms.put(room, { ...newRoom(room, 'created', 0, agent.key), members, roles });
        await this.groups.create(room, encodeFrankingAgent(agent));
        return this.outbox.commit(room, { ...FRESH_KEYS, add: keyPackages }).submissionId;
      });
    });
  }

  /** Rooms that the hub may not know yet. */
  createdRooms(): RoomUri[] {
    return this.store.rooms
      .values()
      .filter((record) => record.standing === 'created')
      .map((record) => record.room);
  }

  /** What tells the hub of a room that was created here. */
  groupInfo(room: RoomUri): Promise<Bytes> {
    return this.alone(async () => (await this.groups.get(room)).groupInfo());
  }

  /** The hub knows the room: what is in its outbox goes out. */
  roomAnnounced(room: RoomUri): Promise<void> {
    return this.alone(async () => {
      const created = this.store.rooms.get(room);
      if (created?.standing !== 'created') return;
      const standing = this.outbox.isLeaving(room) ? 'leaving' : 'joined';
      const record: RoomRecord = { ...created, standing };
      await this.store.transaction(() => {
        this.store.rooms.put(room, record);
      });
      this.events.push({ kind: 'room_changed', room, members: record.members, joined: standing === 'joined' });
      await this.#openRoom(record);
    });
  }

  /** The hub will not have the room: this device has left it. */
  roomRefused(room: RoomUri): Promise<void> {
    return this.alone(() => this.#abandon(room));
  }

  async #abandon(room: RoomUri): Promise<void> {
    await this.#run(await this.#became(await this.#inbox.abandon(room)));
  }

  /**
   * This person is not in `room` any more, and the intent to tell the others so is durable; again: nothing.
   *
   * Throws `RefusedError` `not_found`.
   */
  leave(room: RoomUri): Promise<void> {
    return this.alone(async () => {
      const record = this.store.rooms.get(room);
      if (record === null) throw new RefusedError('not_found');
      if (record.standing === 'broken') await this.#abandon(room); // there is no group to say it in
      if (!isOpen(record)) return;
      const item = await this.groups.transaction(() => {
        const leaving = this.outbox.leave(room);
        for (const { messageId } of this.store.receiptsOf(room)) this.store.receipts.delete(messageId);
        if (record.standing === 'joined') this.store.rooms.put(room, { ...record, standing: 'leaving' });
        return leaving;
      });
      this.events.push({ kind: 'room_changed', room, members: record.members, joined: false });
      await this.#queued(item);
    });
  }

  /** The rooms with leaves of somebody who has left. */
  leftBehind(): RoomUri[] {
    return this.store.rooms
      .values()
      .filter(isOwing)
      .map(({ room }) => room);
  }

  /** The intent to commit is durable at the end of the outbox. Throws `RefusedError` `not_found`. */
  changeRoom(room: RoomUri, intent: Intent): Promise<SubmissionKey> {
    return this.alone(async () => {
      const item = await this.groups.transaction(() => this.outbox.commit(room, intent));
      await this.#queued(item);
      return item.submissionId;
    });
  }
}

/** Whether members of the room have to remove somebody who has left. */
function isOwing({ standing, roles }: RoomRecord): boolean {
  return standing === 'joined' && owed(decodeRoles(roles));
}
