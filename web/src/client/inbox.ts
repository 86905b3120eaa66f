/** What arrives: entries of rooms' logs become messages, members and states, in one transaction with the cursor. */

import { type Bytes, equal, Reader, utf8 } from '../codec.ts';
import * as content from '../content.ts';
import * as conversation from '../conversation.ts';
import { decodeLeafCredential, type Leaf } from '../credential.ts';
import { LocalProtocolError, RemoteProtocolError, UnavailableError, VerificationError } from '../errors.ts';
import type { Accepted, Delivery } from '../frames.ts';
import { decodeFrankingAgent, type FrankingAgent, frankingTag, verifyFrankedMessage } from '../franking.ts';
import { toHex } from '../hex.ts';
import { type DeviceUri, type RoomUri, type TimestampMs, type UserUri, userOf } from '../ids.ts';
import { MlsError } from '../mls/errors.ts';
import type { Group } from '../mls/group.ts';
import type { Change, Leaf as MlsLeaf } from '../mls/leaf.ts';
import { readProfile, type RoomProfile } from '../profile.ts';
import { decodeRoles, encodeRoles, follow, may, participants, Role, type Roles } from '../roles.ts';
import type { Event, FaultSeen, MessageKey, MessageState } from './events.ts';
import { type Groups, isClock } from './groups.ts';
import {
  follows,
  type Identity,
  type Lost,
  type MessageRecord,
  newRoom,
  NO_PROFILE,
  type OutgoingCommit,
  type OutgoingMessage,
  type RoomRecord,
  type Standing,
} from './records.ts';
import type { Entries, Entry, SubmissionKey } from './session.ts';
import type { Store } from './store.ts';
import { now } from './surroundings.ts';
import type { Placed, Timeline } from './timeline.ts';
import { type Asked, LookUp, NOTHING_ASKED, type Trust } from './trust.ts';

export const HUB = 'hub';
/** In larger rooms nobody tells who holds and who has read what: everyone would be told by everyone. */
export const RECEIPT_MEMBERS = 16;

/** Checks that only the hub can break; the others are the sender's. */
const HUBS_FAULT: ReadonlySet<string> = new Set([
  ...['NL-202', 'NL-204', 'NL-205', 'NL-206'], // it lets in only what is for this group and epoch
  ...['NL-141', 'NL-143'], // franks
  ...['NL-502', 'NL-503', 'NL-511', 'NL-512', 'NL-513', 'NL-514', 'NL-521', 'NL-523', 'NL-525'],
]);
const EARLIER: Readonly<Record<'delivered' | 'read', readonly MessageState[]>> = {
  delivered: ['queued', 'sent'],
  read: ['queued', 'sent', 'delivered'],
};

/** What became of one room's entries. `settled`: what the outbox no longer holds. */
export interface RoomOutcome {
  record: RoomRecord;
  readonly settled: SubmissionKey[];
}

/** What is durable now, and what the application is told, in order. */
export interface Outcome {
  readonly rooms: Map<RoomUri, RoomOutcome>;
  readonly events: Event[];
}

type Refuse = (check: string) => void | Promise<void>;

/** One device's way in. Whatever fails a check is recorded and not shown, and the conversation goes on. */
export class Inbox {
  readonly #identity: Identity;
  readonly #store: Store;
  readonly #groups: Groups;
  readonly #trust: Trust;
  readonly #timeline: Timeline;
  #outcome: Outcome = { rooms: new Map(), events: [] };
  #asked = NOTHING_ASKED;

  constructor(identity: Identity, store: Store, groups: Groups, trust: Trust) {
    this.#identity = identity;
    this.#store = store;
    this.#timeline = store.timeline;
    this.#groups = groups;
    this.#trust = trust;
  }

  /**
   * Every entry is processed and durable, each room's in the order given.
   *
   * Throws `LookUp` when the server must be asked first, having changed nothing; not for what was `asked`: what cannot
   * be judged then is refused. Throws `StoreError`; `UnavailableError` while this machine's clock is wrong.
   */
  async process(entries: Entries, asked: Asked): Promise<Outcome> {
    this.#begin(asked);
    await this.#groups.transaction(async () => {
      for (const [room, run] of entries) {
        for (const entry of run) await this.#entry(room, entry);
        const outcome = this.#outcome.rooms.get(room);
        if (outcome !== undefined) this.#store.rooms.put(room, outcome.record);
      }
    });
    return this.#outcome;
  }

  /** This device is not in `room` any more, as the hub never was. */
  async abandon(room: RoomUri): Promise<Outcome> {
    this.#begin(NOTHING_ASKED);
    const record = this.#store.rooms.get(room);
    if (record === null) return this.#outcome;
    const outcome: RoomOutcome = { record, settled: [] };
    this.#outcome.rooms.set(room, outcome);
    await this.#groups.transaction(async () => {
      await this.#leave(room, outcome);
      this.#store.rooms.put(room, outcome.record);
    });
    return this.#outcome;
  }

  /** Everything in `room` counts as read; senders are owed a receipt. Whether there was something. */
  async markRead(record: RoomRecord): Promise<boolean> {
    if (record.unread.length === 0) return false;
    await this.#store.transaction(async () => {
      if (this.#tells(record)) {
        for (const messageId of record.unread) this.#owe(record.room, messageId, content.MessageStatus.read);
      }
      await this.#timeline.beginLives(record.unread);
      this.#store.rooms.put(record.room, { ...record, unread: [] });
    });
    return true;
  }

  #owe(room: RoomUri, messageId: string, status: content.MessageStatus): void {
    this.#store.receipts.put(messageId, { room, messageId, status });
  }

  #tells(record: RoomRecord): boolean {
    const wanted = this.#store.settings.get('receipts') ?? true;
    return wanted && record.standing === 'joined' && record.members.length <= RECEIPT_MEMBERS;
  }

  // --- one entry

  #begin(asked: Asked): void {
    this.#outcome = { rooms: new Map(), events: [] };
    this.#asked = asked;
  }

  async #entry(room: RoomUri, entry: Entry): Promise<void> {
    let outcome = this.#outcome.rooms.get(room);
    if (outcome === undefined) {
      const record = this.#store.rooms.get(room) ?? newRoom(room, 'broken', 0, new Uint8Array());
      this.#outcome.rooms.set(room, (outcome = { record, settled: [] }));
      this.#store.rooms.put(room, record);
    }
    outcome.record = { ...outcome.record, cursor: Math.max(outcome.record.cursor, entry.seq) };
    const here = outcome;
    if (entry.frame === 'removed') await this.#leave(room, here);
    else if (entry.frame === 'deliver' && entry.kind === 'welcome') await this.#welcome(room, here, entry);
    else if (!follows(here.record)) return;
    else if (entry.frame === 'accepted') await this.#accepted(room, here, entry);
    else if (entry.kind === 'commit') {
      await this.#checked(
        () => this.#commit(room, here, entry),
        (check) => this.#break(room, here, check, entry.sender, entry),
      );
    } else if (here.record.standing === 'joined') {
      await this.#checked(
        () => this.#message(room, here, entry),
        (check) => {
          this.#fault(room, check, entry.sender);
        },
      );
    }
  }

  /** What fails a check in `work` goes to `refuse` with the check's number. */
  async #checked(work: () => Promise<void>, refuse: Refuse): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isClock(error)) throw new UnavailableError("this machine's clock is wrong");
      if (error instanceof LookUp) {
        if (!error.isCovered(this.#asked)) throw error;
        await refuse('NL-522'); // NL-522: the server knows the device list that a leaf is under
      } else if (
        error instanceof MlsError ||
        error instanceof RemoteProtocolError ||
        error instanceof VerificationError
      ) {
        await refuse(error.check);
      } else throw error;
    }
  }

  async #message(room: RoomUri, outcome: RoomOutcome, entry: Delivery): Promise<void> {
    checkHeld(entry);
    const group = await this.#groups.get(room);
    const received = await group.receive(entry.payload, nowS());
    if (received.kind !== 'application') {
      group.reject();
      throw new VerificationError('NL-511', 'a handshake where a message should be');
    }
    const leaf = await this.#trust.checkLeaf(received.sender);
    checkSender(leaf, entry);
    const message = await verifyFrankedMessage(
      {
        applicationData: received.data,
        tag: received.tag,
        frank: entry.frank,
        sender: leaf.user,
        room,
        acceptedAtMs: entry.acceptedAtMs as TimestampMs,
      },
      outcome.record.frankingKey,
    );
    this.#checkTime(room, outcome, entry.acceptedAtMs as TimestampMs);
    await this.#take(outcome, entry, received.data, message);
  }

  /** A verified message is shown, or what it changes is; a repeat, sent in two epochs, is not. */
  async #take(
    outcome: RoomOutcome,
    entry: Delivery,
    applicationData: Uint8Array<ArrayBuffer>,
    message: content.MimiContent,
  ): Promise<void> {
    const { room } = outcome.record;
    const sender = content.senderOf(message);
    const own = sender === this.#identity.user;
    const report = content.readStatusReport(message.body);
    if (report !== null) {
      if (!own) await this.#applyReport(room, report);
      return;
    }
    const profile = readProfile(message.body);
    const messageId = toHex(await content.messageId(sender, room, applicationData));
    const said = await conversation.read(message, this.#timeline.before(room));
    const acceptedAtMs = entry.acceptedAtMs as TimestampMs;
    const state = own ? 'sent' : 'received';
    const placed: Placed = { room, messageId, sender, own, state, seq: entry.seq, acceptedAtMs };
    if ((await this.#timeline.add(placed, said)) === null) return;
    this.#store.keepEvidence(messageId, { applicationData, frank: entry.frank, acceptedAtMs });
    if (profile !== null) this.#takeProfile(outcome.record, sender, profile);
    const isShown = await this.#tell(messageId, said.target);
    if (!isShown || said.kind !== 'message' || own) return;
    outcome.record = { ...outcome.record, unread: [...outcome.record.unread, messageId] };
    if (this.#tells(outcome.record)) this.#owe(room, messageId, content.MessageStatus.delivered);
  }

  /** The room is called so if its sender may say it; whoever let us in may, until somebody else does. */
  #takeProfile({ room, roles, members }: RoomRecord, sender: UserUri, profile: RoomProfile): void {
    const known = this.#store.profiles.get(room) ?? NO_PROFILE;
    if (!may(decodeRoles(roles), sender, 'canChangeRoomName') && known.greeter !== sender) return;
    this.#store.profiles.put(room, { ...known, profile, greeter: null });
    this.#outcome.events.push({ kind: 'room_changed', room, members, joined: true });
  }

  /** The application hears of the message, or of the one that it changes; false when that is not shown. */
  async #tell(messageId: MessageKey, target: MessageKey | null): Promise<boolean> {
    const message = await this.#timeline.message(target ?? messageId);
    if (message === null) return false;
    this.#outcome.events.push({ kind: target === null ? 'message_shown' : 'message_changed', message });
    return true;
  }

  async #applyReport(room: RoomUri, report: readonly (readonly [Uint8Array, content.MessageStatus])[]): Promise<void> {
    for (const [id, status] of report) {
      const state = status === content.MessageStatus.delivered ? 'delivered' : 'read';
      if (status !== content.MessageStatus.delivered && status !== content.MessageStatus.read) continue;
      const messageId = toHex(id);
      if (await this.#timeline.advance(room, messageId, state, EARLIER[state])) {
        this.#stateChanged({ room, messageId }, state);
      }
    }
  }

  #stateChanged({ room, messageId }: Pick<MessageRecord, 'room' | 'messageId'>, state: MessageState): void {
    this.#outcome.events.push({ kind: 'message_state_changed', room, messageId, state, reason: null });
  }

  /** The hub's times rise; one that does not is told of, and its message shown: the order is the log's. */
  #checkTime(room: RoomUri, outcome: RoomOutcome, acceptedAtMs: TimestampMs): void {
    const newest = outcome.record.acceptedAtMs;
    if (acceptedAtMs <= newest) this.#fault(room, 'NL-513', HUB);
    else outcome.record = { ...outcome.record, acceptedAtMs };
  }

  // --- our own

  async #accepted(room: RoomUri, outcome: RoomOutcome, entry: Accepted): Promise<void> {
    const item = this.#store.outbox.get(toHex(entry.submissionId));
    if (item === null) {
      this.#fault(room, 'NL-502', HUB); // NL-502: the hub accepts only what this device has sent
      return;
    }
    this.#store.outbox.delete(item.submissionId);
    outcome.settled.push(item.submissionId);
    if (item.kind === 'commit') {
      await this.#checked(
        () => this.#commitAccepted(room, outcome, item, entry),
        (check) => this.#break(room, outcome, check, HUB, entry),
      );
    } else if (item.messageId !== null) {
      await this.#checked(
        () => this.#messageAccepted(room, outcome, item, entry),
        (check) => {
          this.#fault(room, check, HUB);
        },
      );
    }
  }

  async #messageAccepted(room: RoomUri, outcome: RoomOutcome, item: OutgoingMessage, entry: Accepted): Promise<void> {
    const acceptedAtMs = entry.acceptedAtMs as TimestampMs;
    const messageId = item.messageId ?? '';
    if (!isLate(outcome, entry)) this.#checkTime(room, outcome, acceptedAtMs);
    const queued = await this.#store.message(messageId);
    if (queued === null) throw new LocalProtocolError('a message in the outbox alone');
    const record = await this.#timeline.accept(queued, entry.seq, acceptedAtMs);
    await this.#tell(messageId, record.target);
    this.#stateChanged(record, 'sent');
    const applicationData = item.content;
    const tag = await frankingTag(applicationData);
    const sender = this.#identity.user;
    const message = await verifyFrankedMessage(
      { applicationData, tag, frank: entry.frank, sender, room, acceptedAtMs },
      outcome.record.frankingKey,
    );
    const profile = readProfile(message.body);
    if (profile !== null) this.#takeProfile(outcome.record, sender, profile);
    this.#store.keepEvidence(messageId, { applicationData, frank: entry.frank, acceptedAtMs });
  }

  async #commitAccepted(room: RoomUri, outcome: RoomOutcome, item: OutgoingCommit, entry: Accepted): Promise<void> {
    const group = await this.#groups.get(room);
    if (isLate(outcome, entry) && entry.epoch < group.epoch) {
      group.discard(); // what is pending was built again in vain
      return;
    }
    if (!group.hasPending || entry.epoch !== item.epoch || item.epoch !== group.epoch) {
      throw new VerificationError('NL-503', 'a commit accepted in another epoch than it was sent in');
    }
    if (item.payload === null) throw new LocalProtocolError('a commit accepted that was never built');
    const roles = this.#rolesAfter(outcome.record, group, group.pendingChange(item.payload));
    group.accept();
    const before = new Set(outcome.record.members);
    const known = this.#store.profiles.get(room);
    if (known?.profile && participants(roles).some((user) => !before.has(user))) {
      this.#store.profiles.put(room, { ...known, owed: true });
    }
    await this.#entered(room, outcome, group, roles);
  }

  // --- other people's handshakes

  async #commit(room: RoomUri, outcome: RoomOutcome, entry: Delivery): Promise<void> {
    checkHeld(entry);
    const group = await this.#groups.get(room);
    group.discard(); // we lost; our intent stays in the outbox and is built again
    const received = await group.receive(entry.payload, nowS());
    if (received.kind !== 'commit') throw new VerificationError('NL-511', 'a message where a commit should be');
    if (received.removesMe) {
      await this.#leave(room, outcome);
      return;
    }
    checkSender(await this.#trust.checkLeaf(received.change.committer), entry);
    await this.#checkMembers(received.change.members);
    const roles = this.#rolesAfter(outcome.record, group, received.change);
    group.apply();
    await this.#entered(room, outcome, group, roles);
  }

  /** Everyone's role after `change` in `group`, which they allow. Throws as `follow`, and `LookUp`. */
  #rolesAfter(record: RoomRecord, group: Group, change: Change): Roles {
    const removed = change.removed.map(deviceOf);
    const isOff = (device: DeviceUri): boolean =>
      this.#trust.deviceList(userOf(device))?.devices.every((listed) => listed.uri !== device) ?? false;
    const step = {
      committer: userOf(deviceOf(change.committer)),
      present: new Set(group.members.map(deviceOf)),
      added: change.added.map(deviceOf),
      removed,
      revoked: new Set(removed.filter(isOff)),
      given: decodeRoles(change.roles),
    };
    try {
      return follow(decodeRoles(record.roles), step);
    } catch (error) {
      const lookUp = new LookUp(new Set(removed.map(userOf)));
      const judged = !(error instanceof VerificationError) || error.check !== 'NL-173' || lookUp.isCovered(this.#asked);
      throw judged ? error : lookUp; // perhaps it is a device that its user has revoked since
    }
  }

  async #welcome(room: RoomUri, outcome: RoomOutcome, entry: Delivery): Promise<void> {
    await this.#checked(
      async () => {
        checkHeld(entry);
        const reader = new Reader(entry.payload);
        const welcome = reader.vector();
        const roles = decodeRoles(reader.vector());
        reader.finish();
        const { group, keyPackage } = await this.#groups.join(welcome);
        const agent = await this.#checkWelcome(room, group, entry);
        if (!sameUsers(group.members.map(deviceOf).map(userOf), roles)) {
          throw new VerificationError('NL-525', 'roles of others than those who are in the room');
        }
        this.#groups.put(room, group, keyPackage);
        const { unread, acceptedAtMs, lifetimeS, lost } = outcome.record;
        const begun = newRoom(room, 'broken', entry.seq, agent.key);
        outcome.record = { ...begun, unread, acceptedAtMs, lifetimeS, ...(lost && { lost }) };
        await this.#entered(room, outcome, group, roles);
        const known = this.#store.profiles.get(room) ?? NO_PROFILE;
        this.#store.profiles.put(room, { ...known, greeter: userOf(entry.sender as DeviceUri), owed: false });
      },
      (check) => {
        outcome.record = { ...outcome.record, standing: 'broken', lost: stopped(outcome.record, entry, null) };
        this.#fault(room, check, entry.sender);
      },
    );
  }

  async #checkWelcome(room: RoomUri, group: Group, entry: Delivery): Promise<FrankingAgent> {
    if (!equal(group.groupId, utf8(room))) {
      throw new VerificationError('NL-523', 'a welcome to another room than the hub says');
    }
    const agent = decodeFrankingAgent(group.frankingAgent);
    this.#trust.checkAgent(agent, this.#asked.directory);
    const leaves = await this.#checkMembers(group.members);
    if (!leaves.some((leaf) => leaf.device === entry.sender)) {
      throw new VerificationError('NL-524', 'a welcome by a device that is not in the room');
    }
    return agent;
  }

  /** Every leaf is of a device on its user's newest list. Throws as `Trust.checkLeaf`. */
  async #checkMembers(members: readonly MlsLeaf[]): Promise<Leaf[]> {
    const wanted = new Set<UserUri>();
    const leaves: Leaf[] = [];
    for (const member of members) {
      try {
        leaves.push(await this.#trust.checkLeaf(member));
      } catch (error) {
        if (!(error instanceof LookUp)) throw error;
        for (const user of error.users) wanted.add(user);
      }
    }
    if (wanted.size > 0) throw new LookUp(wanted);
    return leaves;
  }

  // --- consequences

  async #entered(room: RoomUri, outcome: RoomOutcome, group: Group, newRoles: Roles): Promise<void> {
    const members = participants(newRoles);
    const roles = encodeRoles(newRoles);
    const before = outcome.record;
    const standing = before.standing === 'leaving' ? 'leaving' : 'joined';
    outcome.record = { ...before, epoch: group.epoch, members, roles, standing };
    if (newRoles.get(this.#identity.user) === Role.left) {
      await this.#leave(room, outcome);
      return;
    }
    const same = equal(roles, before.roles) && members.join() === before.members.join();
    if (standing === 'joined' && (before.standing !== 'joined' || !same)) {
      this.#outcome.events.push({ kind: 'room_changed', room, members, joined: true });
    }
  }

  async #leave(room: RoomUri, outcome: RoomOutcome): Promise<void> {
    if (outcome.record.standing === 'left') return;
    await this.#close(room, outcome, 'left');
  }

  /** The group cannot go on here from `entry`, and the server is to be told; what was shown stays. */
  async #break(room: RoomUri, outcome: RoomOutcome, check: string, culprit: string, entry: Entry): Promise<void> {
    this.#fault(room, check, culprit);
    await this.#close(room, outcome, outcome.record.standing === 'leaving' ? 'left' : 'broken');
    const payload = entry.frame === 'deliver' && entry.kind !== 'welcome' ? entry.payload : new Uint8Array();
    const digest = payload.length === 0 ? null : new Uint8Array(await crypto.subtle.digest('SHA-256', payload));
    outcome.record = { ...outcome.record, lost: stopped(outcome.record, entry, digest) };
  }

  async #close(room: RoomUri, outcome: RoomOutcome, standing: Standing): Promise<void> {
    this.#groups.delete(room);
    for (const item of this.#store.outboxOf(room)) {
      this.#store.outbox.delete(item.submissionId);
      outcome.settled.push(item.submissionId);
      const record = item.kind === 'message' && item.messageId && (await this.#store.message(item.messageId));
      if (!record) continue;
      await this.#timeline.fail(record.messageId, 'not_found');
      this.#outcome.events.push({
        kind: 'message_state_changed',
        room,
        messageId: record.messageId,
        state: 'failed',
        reason: 'not_found',
      });
      if (record.target !== null) await this.#tell(record.messageId, record.target);
    }
    for (const { messageId } of this.#store.receiptsOf(room)) this.#store.receipts.delete(messageId);
    outcome.record = { ...outcome.record, standing };
    this.#outcome.events.push({ kind: 'room_changed', room, members: outcome.record.members, joined: false });
  }

  #fault(room: RoomUri, check: string, culprit: string): void {
    const fault: FaultSeen = {
      kind: 'fault_seen',
      room,
      check,
      culprit: HUBS_FAULT.has(check) ? HUB : culprit,
      atMs: now(),
    };
    this.#store.addFault(fault);
    this.#outcome.events.push(fault);
  }
}

/** The room has stopped at `entry`. */
function stopped({ lost }: RoomRecord, { seq }: Entry, digest: Bytes | null): Lost {
  return { seq, digest, toldSeq: lost?.toldSeq ?? null, toldAtMs: lost?.toldAtMs ?? null };
}

/** Whether the entry is from before this device was added to the room anew, so that its first answer never came. */
function isLate({ record }: RoomOutcome, entry: Accepted): boolean {
  return entry.seq < record.cursor;
}

function deviceOf(leaf: MlsLeaf): DeviceUri {
  return decodeLeafCredential(leaf.credential).device;
}

/** Whether `roles` are of exactly these users, and of some who are banned. */
function sameUsers(users: readonly UserUri[], roles: Roles): boolean {
  const present = Array.from(roles.keys()).filter((user) => roles.get(user) !== Role.banned);
  return Array.from(new Set(users)).sort().join() === present.sort().join();
}

function checkHeld(entry: Delivery): void {
  if (entry.payload.length === 0) {
    throw new VerificationError('NL-514', 'an entry that was purged before this device read it');
  }
}

function checkSender(leaf: Leaf, entry: Delivery): void {
  if (leaf.device !== entry.sender) {
    throw new VerificationError('NL-512', 'the hub names another sender than the leaf that signed');
  }
}

function nowS(): number {
  return Math.floor(now() / 1000);
}
