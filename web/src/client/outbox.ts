/** What goes out: messages, receipts and commits, each durable before it is submitted and built for the room's epoch. */

import { type Bytes, equal } from '../codec.ts';
import * as content from '../content.ts';
import * as conversation from '../conversation.ts';
import { type Leaf as CheckedLeaf, decodeLeafCredential } from '../credential.ts';
import { LocalProtocolError, type ProblemName, RefusedError, VerificationError } from '../errors.ts';
import { frankingTag } from '../franking.ts';
import { fromHex, toHex } from '../hex.ts';
import { type DeviceUri, type MessageId, type RoomUri, SALT_BYTES, type TimestampMs, userOf } from '../ids.ts';
import { identity, type Leaf } from '../mls/leaf.ts';
import { parseKeyPackage } from '../mls/key-package.ts';
import { decodeRoles, encodeRoles, follow, leavers, participants, Role } from '../roles.ts';
import type { MessageKey } from './events.ts';
import type { Groups } from './groups.ts';
import {
  FRESH_KEYS,
  type Identity,
  type Intent,
  isOpen,
  type OutboxItem,
  type OutgoingCommit,
  type OutgoingMessage,
} from './records.ts';
import type { SubmissionKey } from './session.ts';
import type { Store } from './store.ts';
import { now, random } from './surroundings.ts';
import type { Trust } from './trust.ts';

const RECEIPTS_IN_ONE = 200;

/** A UUID of version 7, in hexadecimal. `random`: 10 bytes. Source: RFC 9562, "UUID Version 7". */
function submissionId(nowMs: TimestampMs, random: Bytes): SubmissionKey {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setBigUint64(0, BigInt(nowMs) << 16n);
  id.set(random, 6);
  id[6] = 0x70 | ((id[6] ?? 0) & 0x0f);
  id[8] = 0x80 | ((id[8] ?? 0) & 0x3f);
  return toHex(id);
}

interface Owed {
  readonly epoch: number;
  readonly generation: number;
  readonly devices: readonly DeviceUri[];
}

/** One device's way out. */
export class Outbox {
  readonly #identity: Pick<Identity, 'user' | 'device'>;
  readonly #store: Store;
  readonly #groups: Groups;
  readonly #trust: Trust;
  readonly #owed = new Map<RoomUri, Owed>();

  constructor(identity: Identity, store: Store, groups: Groups, trust: Trust) {
    this.#identity = identity;
    this.#store = store;
    this.#groups = groups;
    this.#trust = trust;
  }

  /**
   * `message`, by this person and for an open room, is durable at the end of the outbox, and shown.
   *
   * Null: it was there. `uploadId`: the upload that it was.
   */
  async say(
    message: content.MimiContent,
    uploadId: string | null = null,
  ): Promise<{ messageId: MessageKey; item: OutboxItem | null }> {
    const { user } = this.#identity;
    const room = content.roomOf(message);
    const encoded = content.encode(message);
    const messageId = toHex(await content.messageId(user, room, encoded));
    const { timeline } = this.#store;
    if ((await this.#store.message(messageId)) !== null) return { messageId, item: null };
    const said = await conversation.read(message, timeline.before(room));
    const item = await this.#groups.transaction(async () => {
      await timeline.add(
        { room, messageId, sender: user, own: true, state: 'queued', seq: null, acceptedAtMs: null },
        said,
      );
      if (uploadId !== null) this.#store.uploads.delete(uploadId);
      return this.#enqueue(room, 'message', encoded, messageId);
    });
    return { messageId, item };
  }

  /** The room's profile is at the end of the outbox, if newcomers are to be told it and this device is there. */
  async greet(room: RoomUri): Promise<OutboxItem | null> {
    const known = this.#store.profiles.get(room);
    const record = this.#store.rooms.get(room);
    if (!known?.owed || known.profile === null || record === null || !isOpen(record)) return null;
    const again = content.profileMessage(random(SALT_BYTES), this.#identity.user, room, known.profile);
    return this.#groups.transaction(() => {
      this.#store.profiles.put(room, { ...known, owed: false });
      return this.#enqueue(room, 'status', content.encode(again), null);
    });
  }

  /** What the senders in `room` are owed is a durable status message at the end of the outbox. */
  async reportReceipts(room: RoomUri): Promise<OutboxItem | null> {
    const owed = this.#store.receiptsOf(room).slice(0, RECEIPTS_IN_ONE);
    if (owed.length === 0) return null;
    const statuses = owed.map(({ messageId, status }) => [fromHex(messageId) as MessageId, status] as const);
    const report = content.statusReport(random(SALT_BYTES), this.#identity.user, room, statuses);
    return this.#groups.transaction(() => {
      for (const { messageId } of owed) this.#store.receipts.delete(messageId);
      return this.#enqueue(room, 'status', content.encode(report), null);
    });
  }

  /** `intent` is at the end, or beginning, of the outbox. Inside a transaction. Throws `RefusedError` `not_found`. */
  commit(room: RoomUri, intent: Intent, first = false): OutgoingCommit {
    const record = this.#store.rooms.get(room);
    if (record === null || !isOpen(record)) throw new RefusedError('not_found');
    const item: OutgoingCommit = { ...this.#unbuilt(room), kind: 'commit', first, intent, welcome: null };
    this.#store.outbox.put(item.submissionId, item);
    return item;
  }

  /** The outbox of `room` ends with this person's leaving. Inside a transaction. Throws as `commit`. */
  leave(room: RoomUri): OutgoingCommit {
    return this.commit(room, { ...FRESH_KEYS, give: [[this.#identity.user, Role.left]] });
  }

  /** Whether `item` is this person's leaving. */
  leaves(item: OutboxItem): boolean {
    const { user } = this.#identity;
    return item.kind === 'commit' && item.intent.give.some(([who, role]) => who === user && role === Role.left);
  }

  /** Whether this person's leaving waits in the outbox. */
  isLeaving(room: RoomUri): boolean {
    return this.#store.outboxOf(room).some((item) => this.leaves(item));
  }

  /**
   * Devices in `room` that go before anything is said.
   *
   * Those of who has left, and others than this one that their users' newest lists do not name.
   */
  async owed(room: RoomUri): Promise<readonly DeviceUri[]> {
    const { epoch, members } = await this.#groups.get(room);
    const { generation } = this.#trust;
    let known = this.#owed.get(room);
    if (known?.epoch !== epoch || known.generation !== generation) {
      const leaves = await Promise.all(members.map((leaf) => this.#leaf(leaf)));
      const roles = decodeRoles(this.#store.rooms.get(room)?.roles ?? new Uint8Array());
      const devices = members.map(uriOf);
      const left = new Set(leavers(roles, devices));
      const unlisted = devices.filter((device, at) => leaves[at]?.listed !== true && device !== this.#identity.device);
      const gone = new Set([...left, ...unlisted]);
      known = { epoch, generation, devices: devices.filter((device) => gone.has(device)) };
      this.#owed.set(room, known);
    }
    return known.devices;
  }

  /** The leaf, checked; null where it is under an account key that is no longer believed. */
  async #leaf(leaf: Leaf): Promise<CheckedLeaf | null> {
    try {
      return await this.#trust.checkLeaf(leaf);
    } catch (error) {
      if (error instanceof VerificationError) return null;
      throw error;
    }
  }

  /** What this device's leaf in `room` has to carry instead of what is under a former account key. */
  async movedCredential(room: RoomUri): Promise<Bytes | null> {
    const credential = this.#store.identity.get('')?.credential ?? null;
    const { members } = await this.#groups.get(room);
    const own = members.find((leaf) => uriOf(leaf) === this.#identity.device);
    return credential === null || own === undefined || equal(own.credential, credential) ? null : credential;
  }

  /** Whether a commit waits in the outbox. */
  isChanging(room: RoomUri): boolean {
    return this.#store.outboxOf(room).some((item) => item.kind === 'commit');
  }

  /**
   * The item is built for its group's epoch and durable; null when it is gone, with nothing left to do in it.
   *
   * Throws `MlsError` when a commit cannot be made, such as with a key package that has expired; `RefusedError`
   * `not_allowed` when the room's roles do not allow it.
   */
  async build(wanted: SubmissionKey): Promise<OutboxItem | null> {
    const item = this.#store.outbox.get(wanted);
    if (item === null) return null;
    return this.#groups.transaction(async () => {
      const built = item.kind === 'commit' ? await this.#buildCommit(item) : await this.#buildMessage(item);
      if (built === null) this.#store.outbox.delete(wanted);
      else this.#store.outbox.put(wanted, built);
      return built;
    });
  }

  /** The hub refused the item for good: it is gone, a message shows as failed, a commit is undone. */
  async fail(wanted: SubmissionKey, problem: ProblemName): Promise<OutboxItem | null> {
    const item = this.#store.outbox.get(wanted);
    if (item === null) return null;
    await this.#groups.transaction(async () => {
      this.#store.outbox.delete(wanted);
      if (item.kind === 'commit') await this.#undoCommit(item.room);
      else if (item.messageId !== null) await this.#store.timeline.fail(item.messageId, problem);
    });
    return item;
  }

  async #undoCommit(room: RoomUri): Promise<void> {
    const group = await this.#groups.get(room);
    group.discard();
    const record = this.#store.rooms.get(room);
    if (record === null) return;
    this.#store.rooms.put(room, { ...record, members: participants(decodeRoles(record.roles)) });
  }

  /** Encrypted at once when nothing before it waits to be built: what is encrypted first goes out first. */
  async #enqueue(
    room: RoomUri,
    kind: 'message' | 'status',
    encoded: Bytes,
    messageId: MessageKey | null,
  ): Promise<OutboxItem> {
    let item: OutgoingMessage = { ...this.#unbuilt(room), kind, content: encoded, messageId };
    const { epoch } = await this.#groups.get(room);
    const waiting = this.#store.outboxOf(room).some((earlier) => earlier.kind === 'commit' || earlier.epoch !== epoch);
    if (!waiting) item = await this.#buildMessage(item);
    this.#store.outbox.put(item.submissionId, item);
    return item;
  }

  #unbuilt(room: RoomUri): { submissionId: SubmissionKey; room: RoomUri; epoch: null; payload: null } {
    return { submissionId: submissionId(now(), random(10)), room, epoch: null, payload: null };
  }

  /** The same content, so the same tag and message id, whatever the epoch. */
  async #buildMessage(item: OutgoingMessage): Promise<OutgoingMessage> {
    const group = await this.#groups.get(item.room);
    const { epoch } = group;
    return { ...item, epoch, payload: await group.encrypt(item.content, await frankingTag(item.content)) };
  }

  /** What of the intent others have not done already, as a commit that stays pending. */
  async #buildCommit(item: OutgoingCommit): Promise<OutgoingCommit | null> {
    const group = await this.#groups.get(item.room);
    group.discard();
    const { intent } = item;
    const present = new Map<DeviceUri, number>();
    for (const leaf of group.members) present.set(decodeLeafCredential(leaf.credential).device, leaf.index);
    const record = this.#store.rooms.get(item.room);
    if (record === null) throw new LocalProtocolError('a commit in a room that is not there');
    const roles = decodeRoles(record.roles);
    const owed = leavers(roles, present.keys());
    const gone = [...intent.drop.filter((device) => present.has(device)), ...(await this.owed(item.room))];
    const revoked = new Set(gone.filter((device) => !owed.includes(device)));
    const add = new Map<DeviceUri, Bytes>();
    for (const keyPackage of intent.add) {
      const device = deviceOf(keyPackage);
      if (!present.has(device) || owed.includes(device)) add.set(device, keyPackage);
    }
    const renewed: DeviceUri[] = [];
    for (const keyPackage of intent.renew ?? []) {
      const device = deviceOf(keyPackage);
      if (!present.has(device) || owed.includes(device) || revoked.has(device)) continue;
      add.set(device, keyPackage);
      renewed.push(device);
    }
    const wanted = Array.from(present.keys()).filter((device) => intent.remove.includes(userOf(device)));
    const given = new Map(intent.give.filter(([user, role]) => (roles.get(user) ?? Role.left) !== role));
    const dropped = intent.drop.length > 0 ? gone.length : 0;
    const something = add.size + wanted.length + given.size + dropped > 0;
    const { length: renewing } = intent.renew ?? [];
    const asked = intent.add.length + intent.remove.length + intent.give.length + intent.drop.length + renewing;
    if (!something && asked > 0) return null;
    const removed = Array.from(new Set([...wanted, ...owed, ...revoked, ...renewed]));
    try {
      follow(roles, {
        committer: this.#identity.user,
        present: new Set(present.keys()),
        added: Array.from(add.keys()),
        removed,
        revoked,
        given,
      });
    } catch (error) {
      if (error instanceof VerificationError) throw new RefusedError('not_allowed');
      throw error;
    }
    const indexes = Array.from(present).filter(([device]) => removed.includes(device));
    const staged = await group.commit(
      Array.from(add.values()),
      indexes.map(([, index]) => index),
      encodeRoles(given),
      Math.floor(now() / 1000),
      await this.movedCredential(item.room),
    );
    return { ...item, epoch: group.epoch, payload: staged.commit, welcome: staged.welcome };
  }
}

function uriOf(leaf: Leaf): DeviceUri {
  return decodeLeafCredential(leaf.credential).device;
}

function deviceOf(keyPackage: Bytes): DeviceUri {
  return decodeLeafCredential(identity(parseKeyPackage(keyPackage).leafNode)).device;
}
