/**
 * What this device holds, in IndexedDB: MLS state, messages, franks, cursors and outbox, in one transaction when they
 * belong together, and durable when that returns.
 *
 * Rows are sealed, and their keys are numbers and message ids: what lies on the disk names nobody. Small tables are in
 * memory from the start; groups, messages and evidence are read when they are needed. One tab at a time has it open.
 */

import type { Contact, Directory, UserDevices } from '../bodies.ts';
import type { Bytes } from '../codec.ts';
import { LocalProtocolError } from '../errors.ts';
import type { DeviceList } from '../credential.ts';
import type { MessageStatus } from '../content.ts';
import type { RoomUri, UserUri } from '../ids.ts';
import {
  type Database,
  explained,
  type KeyName,
  MARK,
  type MessageRow,
  OBJECT_STORES,
  openDatabase,
  Rank,
} from './database.ts';
import { StoreError, wiped } from './errors.ts';
import type { FaultSeen, MessageKey } from './events.ts';
import type { KeyPackageUpload } from './hub.ts';
import {
  type Evidence,
  type Identity,
  isFirst,
  type MessageRecord,
  type OutboxItem,
  type ProfileRecord,
  type RoomRecord,
  type NoticeRecord,
  type Replacing,
  type ShownLink,
  type TakingIn,
  type Upload,
} from './records.ts';
import { seal, unseal } from './sealing.ts';
import { Table } from './table.ts';
import { Timeline } from './timeline.ts';

/** Where a message that is queued stands: after all others. */
const UNPLACED = 2 ** 52;
const KEPT_FAULTS = 1000;
const EVIDENCE_WINDOW_MS = 60 * 86_400_000;

/** `full`: what was to be written last did not fit. `wiped`: the browser has taken the database away. */
export type StoreState = 'open' | 'full' | 'wiped';

/** A message, and what stands about it: edits, deletions, reactions. */
export interface MessageAndChanges {
  readonly record: MessageRecord;
  readonly changes: readonly MessageRecord[];
}

/** A receipt that a sender is owed. */
export interface Receipt {
  readonly room: RoomUri;
  readonly messageId: MessageKey;
  readonly status: MessageStatus;
}

/** A key package of this device whose private parts are kept. `kept`: a `HeldKeyPackage`. */
export interface KeyPackageRecord {
  readonly reference: Bytes;
  readonly message: Bytes;
  readonly initKey: Bytes;
  readonly encryptionKey: Bytes;
  readonly lastResort: boolean;
  readonly notAfterS: number;
}

/** The newest device list known of a person. CBOR has one kind of integer. */
export interface Pin extends Omit<DeviceList, 'version' | 'expiresAtMs'> {
  readonly version: bigint | number;
  readonly expiresAtMs: bigint | number;
}

/** `about`: the place of the message that it is about. */
interface StoredMessage {
  readonly position: number;
  readonly about: number | null;
  readonly record: MessageRecord;
}

/** As version 1 of the store had them. */
interface FirstMessageRecord extends Omit<MessageRecord, 'words'> {
  readonly text: string | null;
}

/** What is to be written when the transaction ends. */
class Writes {
  readonly keys = new Map<KeyName, CryptoKey | null>();
  readonly groups = new Map<RoomUri, Bytes | null>();
  readonly messages = new Map<MessageKey, StoredMessage>();
  readonly evidence = new Map<MessageKey, Evidence>();
  purgeBeforeMs: number | null = null;
}

export class Store {
  readonly identity = new Table<Identity>('identity');
  readonly directory = new Table<Directory>('directory');
  readonly settings = new Table<boolean>('settings');
  readonly rooms = new Table<RoomRecord>('rooms');
  readonly profiles = new Table<ProfileRecord>('profiles');
  readonly outbox = new Table<OutboxItem>('outbox');
  readonly receipts = new Table<Receipt>('receipts');
  readonly pins = new Table<Pin>('pins');
  /** Account keys that people's contact codes say. */
  readonly codes = new Table<Bytes>('codes');
  readonly keyPackages = new Table<KeyPackageRecord>('key_packages');
  readonly contacts = new Table<Contact>('contacts');
  readonly faults = new Table<FaultSeen>('faults');
  /** The code that this device shows, while it is nobody's. */
  readonly shownLink = new Table<ShownLink>('shown_link');
  /** The device that this one is taking in. */
  readonly takingIn = new Table<TakingIn>('taking_in');
  /** Key packages that the server may not have yet. */
  readonly offered = new Table<KeyPackageUpload>('offered');
  /** The account key that this device is putting in the place of another. */
  readonly replacing = new Table<Replacing>('replacing');
  /** What the person has to be told of keys and devices. */
  readonly notices = new Table<NoticeRecord>('notices');
  /** Account keys of people whose safety number was compared. */
  readonly compared = new Table<Bytes>('compared');
  /** Who has an account key now that does not follow the one we knew. */
  readonly strangers = new Table<UserDevices>('strangers');
  /** When messages go whose time has begun, by their ids. */
  readonly ends = new Table<number>('ends');
  /** Files on their way to the hub, before they are messages, by their ids. */
  readonly uploads = new Table<Upload>('uploads');
  readonly timeline = new Timeline(this);
  /** Every table above, by its name. */
  readonly #tables: ReadonlyMap<string, Table<unknown>> = new Map(
    (Object.values(this) as unknown[])
      .filter((field): field is Table<unknown> => field instanceof Table)
      .map((table) => [table.name, table]),
  );
  readonly #database: Database;
  readonly #tell: (state: StoreState) => void;
  readonly #keys = new Map<KeyName, CryptoKey>();
  #state: StoreState = 'open';
  #nextId = 1;
  #nextPosition = 1;
  #writes: Writes | null = null;

  private constructor(database: Database, tell: (state: StoreState) => void) {
    this.#database = database;
    this.#tell = tell;
  }

  get name(): string {
    return this.#database.name;
  }

  /** The store named `name`, made if there is none. `tell` hears when it cannot be used. Throws `StoreError`. */
  static async open(name: string, tell: (state: StoreState) => void): Promise<Store> {
    const opened: { store: Store | null } = { store: null };
    const database = await openDatabase(name, () => {
      if (opened.store !== null) opened.store.#become('wiped');
    });
    const store = (opened.store = new Store(database, tell));
    await explained(() => store.#load());
    return store;
  }

  async #load(): Promise<void> {
    const reading = this.#database.transaction(['keys', 'records', 'messages']);
    const rows = IDBKeyRange.lowerBound(MARK, true);
    const [names, keys, ids, records, messages] = await Promise.all([
      reading.objectStore('keys').getAllKeys(),
      reading.objectStore('keys').getAll(),
      reading.objectStore('records').getAllKeys(rows),
      reading.objectStore('records').getAll(rows),
      reading.objectStore('messages').count(),
    ]);
    names.forEach((name, at) => {
      const key = keys[at];
      if (key !== undefined) this.#keys.set(name, key);
    });
    this.#nextId = (ids.at(-1) ?? MARK) + 1;
    this.#nextPosition = messages; // the mark is one of them
    await Promise.all(
      ids.map(async (id, at) => {
        const record = records[at];
        if (record === undefined) return;
        const [table, key, value] = (await this.#unseal(`record ${id}`, record)) as [string, string, unknown];
        this.#tables
          .get(table)
          ?.load(id, key, table === 'rooms' ? { lifetimeS: null, ...(value as Partial<RoomRecord>) } : value);
      }),
    );
  }

  /** Whether it can be used. */
  get state(): StoreState {
    return this.#state;
  }

  #become(state: StoreState): void {
    if (this.#state === state || this.#state === 'wiped') return;
    this.#state = state;
    this.#tell(state);
  }

  /** What `work` does with the database. Throws `StoreError`. */
  async #use<Value>(work: () => Promise<Value>): Promise<Value> {
    try {
      return await explained(work);
    } catch (error) {
      if (this.#state === 'wiped') throw wiped();
      if (error instanceof StoreError && error.fault === 'full') this.#become('full');
      throw error;
    }
  }

  /** Nothing is read or written any more. */
  close(): void {
    this.#database.close();
  }

  // --- transactions

  /** What is written inside is durable afterwards, all of it; after an exception, none. Throws `StoreError`. */
  async transaction<Value>(work: () => Value | Promise<Value>): Promise<Value> {
    if (this.#writes !== null) throw new LocalProtocolError('a transaction inside another');
    const writes = (this.#writes = new Writes());
    for (const table of this.#tables.values()) table.begin();
    try {
      const value = await work();
      await this.#use(() => this.#commit(writes));
      for (const table of this.#tables.values()) table.end(true);
      return value;
    } catch (error) {
      for (const table of this.#tables.values()) table.end(false);
      throw error;
    } finally {
      this.#writes = null;
    }
  }

  /** Everything is sealed first: a transaction of IndexedDB does not wait for anything else. */
  async #commit(writes: Writes): Promise<void> {
    const changes = Array.from(this.#tables.values()).flatMap((table) => table.changes(() => this.#nextId++));
    const records = await Promise.all(
      changes.map(async ({ id, row }) => [id, row && (await this.#seal(`record ${id}`, row))] as const),
    );
    const groups = await Promise.all(
      Array.from(writes.groups, async ([room, state]) => {
        const id = this.#roomId(room);
        return [id, state && (await this.#seal(`group ${id}`, state))] as const;
      }),
    );
    const messages = await Promise.all(
      Array.from(writes.messages, async ([id, stored]) => [id, await this.#messageRow(id, stored)] as const),
    );
    const evidence = await Promise.all(
      Array.from(writes.evidence, async ([id, kept]) => {
        const sealed = await this.#seal(`evidence ${id}`, kept);
        return [id, { acceptedAtMs: kept.acceptedAtMs, sealed }] as const;
      }),
    );
    if (records.length + groups.length + messages.length + evidence.length + writes.keys.size === 0) {
      if (writes.purgeBeforeMs === null) return;
    }
    const writing = this.#database.transaction(OBJECT_STORES, 'readwrite', { durability: 'strict' });
    writing.done.catch(() => undefined); // awaited below
    const work: Promise<unknown>[] = [];
    const keys = writing.objectStore('keys');
    for (const [name, key] of writes.keys) work.push(key === null ? keys.delete(name) : keys.put(key, name));
    for (const [name, rows] of [['records', records] as const, ['groups', groups] as const]) {
      const objects = writing.objectStore(name);
      for (const [id, row] of rows) work.push(row === null ? objects.delete(id) : objects.put(row, id));
    }
    for (const [id, row] of messages) work.push(writing.objectStore('messages').put(row, id));
    for (const [id, row] of evidence) work.push(writing.objectStore('evidence').put(row, id));
    if (writes.purgeBeforeMs !== null) {
      const range = IDBKeyRange.upperBound(writes.purgeBeforeMs, true);
      for (const id of await writing.objectStore('evidence').index('age').getAllKeys(range)) {
        work.push(writing.objectStore('evidence').delete(id));
      }
    }
    await Promise.allSettled(work);
    await writing.done; // which says why, if one of them failed
    this.#become('open');
    for (const [name, key] of writes.keys) {
      if (key === null) this.#keys.delete(name);
      else this.#keys.set(name, key);
    }
  }

  get #open(): Writes {
    if (this.#writes === null) throw new LocalProtocolError('a write outside a transaction');
    return this.#writes;
  }

  #seal(place: string, value: unknown): Promise<Bytes> {
    return seal(this.key('sealing'), place, value);
  }

  #unseal(place: string, row: Bytes): Promise<unknown> {
    return unseal(this.key('sealing'), place, row);
  }

  // --- keys

  /** The key, which does not leave WebCrypto. Throws `StoreError`. */
  key(name: KeyName): CryptoKey {
    const written = this.#writes?.keys.get(name);
    const key = written === undefined ? this.#keys.get(name) : written;
    if (!key) throw new StoreError('damaged', 'a key is missing: the storage was wiped in part');
    return key;
  }

  /** Whether there is a key of that name. */
  hasKey(name: KeyName): boolean {
    const written = this.#writes?.keys.get(name);
    return written === undefined ? this.#keys.has(name) : written !== null;
  }

  /** `key` is kept under `name`. */
  putKey(name: KeyName, key: CryptoKey): void {
    this.#open.keys.set(name, key);
  }

  /** There is no key of that name. */
  dropKey(name: KeyName): void {
    this.#open.keys.set(name, null);
  }

  // --- groups

  /** The encoded group of `room`, or null. */
  async group(room: RoomUri): Promise<Bytes | null> {
    const written = this.#writes?.groups.get(room);
    if (written !== undefined) return written;
    const id = this.rooms.idOf(room);
    if (id === null) return null;
    return this.#use(async () => {
      const row = await this.#database.get('groups', id);
      return row === undefined ? null : ((await this.#unseal(`group ${id}`, row)) as Bytes);
    });
  }

  /** `state` is the encoded group of `room`, which has a record; null: there is none. */
  putGroup(room: RoomUri, state: Bytes | null): void {
    this.#open.groups.set(room, state);
  }

  #roomId(room: RoomUri): number {
    const id = this.rooms.idOf(room);
    if (id === null) throw new LocalProtocolError('a group or message of a room without a record');
    return id;
  }

  // --- messages

  /** The message, if it is stored. */
  async message(messageId: MessageKey): Promise<MessageRecord | null> {
    return (await this.#stored(messageId))?.record ?? null;
  }

  async #stored(messageId: MessageKey): Promise<StoredMessage | null> {
    const written = this.#writes?.messages.get(messageId);
    if (written !== undefined) return written;
    return this.#use(async () => {
      const row = await this.#database.get('messages', messageId);
      return row === undefined ? null : this.#openMessage(messageId, row);
    });
  }

  async #openMessage(messageId: MessageKey, row: MessageRow): Promise<StoredMessage> {
    const stored = (await this.#unseal(`message ${messageId}`, row.sealed)) as StoredMessage;
    return 'text' in stored.record ? fromFirst(stored) : stored;
  }

  async #messageRow(messageId: MessageKey, stored: StoredMessage): Promise<MessageRow> {
    const { record, position, about } = stored;
    const sealed = await this.#seal(`message ${messageId}`, stored);
    if (about !== null) return { about: [about, rankOf(record), position], sealed };
    if (record.kind !== 'message' || record.words === null) return { sealed };
    return { order: [this.#roomId(record.room), record.seq ?? UNPLACED, position], sealed };
  }

  /** The message is as `record` says. */
  async putMessage(record: MessageRecord): Promise<void> {
    const before = await this.#stored(record.messageId);
    const target = record.target === null ? null : await this.#stored(record.target);
    const position = before?.position ?? this.#nextPosition++;
    this.#open.messages.set(record.messageId, { position, about: target?.position ?? null, record });
  }

  /** The newest `limit` messages that are shown, before one if given, oldest first; queued ones last. */
  messages(room: RoomUri, limit: number, before: MessageKey | null = null): Promise<MessageAndChanges[]> {
    return this.#use(async () => {
      const id = this.rooms.idOf(room);
      const last = before === null ? undefined : (await this.#database.get('messages', before))?.order;
      if (id === null || (before !== null && last === undefined)) return [];
      const range = IDBKeyRange.bound([id], last ?? [id + 1], false, true);
      const rows: [MessageKey, MessageRow][] = [];
      const index = this.#database.transaction('messages').store.index('order');
      for (
        let at = await index.openCursor(range, 'prev');
        at !== null && rows.length < limit;
        at = await at.continue()
      ) {
        rows.push([at.primaryKey, at.value]);
      }
      const stored = await Promise.all(rows.map(([messageId, row]) => this.#openMessage(messageId, row)));
      const changes = await this.#changes(new Set(stored.map(({ position }) => position)), Rank.stands);
      return stored.reverse().map(({ record, position }) => ({ record, changes: changes.get(position) ?? [] }));
    });
  }

  /** What is about the message, up to `rank`, in the order of the log, queued ones last. */
  async changes(messageId: MessageKey, rank: Rank = Rank.stands): Promise<MessageRecord[]> {
    const place = (await this.#stored(messageId))?.position;
    if (place === undefined) return [];
    const changes = await this.#use(() => this.#changes(new Set([place]), rank));
    return changes.get(place) ?? [];
  }

  /** By the places of the messages that they are about. */
  async #changes(places: ReadonlySet<number>, rank: Rank): Promise<Map<number, MessageRecord[]>> {
    const changes = new Map<number, MessageRecord[]>();
    if (places.size === 0) return changes;
    const [first = 0, last = first] = bounds(places);
    const range = IDBKeyRange.bound([first], [last + 1]);
    const index = this.#database.transaction('messages').store.index('about');
    const [keys, rows] = await Promise.all([index.getAllKeys(range), index.getAll(range)]);
    const written = this.#writes?.messages ?? new Map<MessageKey, StoredMessage>();
    const read = keys.flatMap((key, at) => {
      const row = rows[at];
      if (!row?.about || !places.has(row.about[0]) || row.about[1] > rank || written.has(key)) return [];
      return [this.#openMessage(key, row)];
    });
    const fresh = Array.from(written.values()).filter(
      ({ about, record }) => about !== null && places.has(about) && rankOf(record) <= rank,
    );
    for (const { about, record } of [...(await Promise.all(read)), ...fresh].sort(byPlace)) {
      if (about !== null) changes.set(about, [...(changes.get(about) ?? []), record]);
    }
    return changes;
  }

  // --- evidence

  /** A copy of the message is kept for reports. */
  keepEvidence(messageId: MessageKey, evidence: Evidence): void {
    this.#open.evidence.set(messageId, evidence);
  }

  /** The message as a report shows it, while it is kept. */
  evidence(messageId: MessageKey): Promise<Evidence | null> {
    return this.#use(async () => {
      const row = await this.#database.get('evidence', messageId);
      return row === undefined ? null : ((await this.#unseal(`evidence ${messageId}`, row.sealed)) as Evidence);
    });
  }

  /** Copies older than the window are erased. */
  purgeEvidence(nowMs: number): void {
    this.#open.purgeBeforeMs = nowMs - EVIDENCE_WINDOW_MS;
  }

  // --- what spans several rows

  /** The room's items, in the order in which they go out. */
  outboxOf(room: RoomUri): OutboxItem[] {
    const items = this.outbox.values().filter((item) => item.room === room);
    return [...items.filter(isFirst), ...items.filter((item) => !isFirst(item))];
  }

  /** What the senders in `room` are owed. */
  receiptsOf(room: RoomUri): Receipt[] {
    return this.receipts.values().filter((receipt) => receipt.room === room);
  }

  /** The fault is recorded; the newest thousand are kept. */
  addFault(fault: FaultSeen): void {
    this.faults.put(crypto.randomUUID(), fault);
    for (const key of this.faults.keys().slice(0, -KEPT_FAULTS)) this.faults.delete(key);
  }

  /** These are all contacts. */
  putContacts(contacts: readonly Contact[]): void {
    const users = new Set<UserUri>(contacts.map(({ user }) => user));
    for (const user of this.contacts.keys()) if (!users.has(user as UserUri)) this.contacts.delete(user);
    for (const contact of contacts) this.contacts.put(contact.user, contact);
  }
}

function bounds(places: ReadonlySet<number>): number[] {
  const sorted = Array.from(places).sort((left, right) => left - right);
  return [...sorted.slice(0, 1), ...sorted.slice(-1)];
}

function byPlace(left: StoredMessage, right: StoredMessage): number {
  return (left.record.seq ?? UNPLACED) - (right.record.seq ?? UNPLACED) || left.position - right.position;
}

function rankOf({ kind, words }: MessageRecord): Rank {
  if (words !== null) return Rank.stands;
  return kind === 'reaction' ? Rank.goneReaction : Rank.gone;
}

/** What version 1 of the store has of a message, in today's words. */
function fromFirst({ position, record }: StoredMessage): StoredMessage {
  const { text, ...rest } = record as unknown as FirstMessageRecord;
  const words = text === null ? null : { text, mentions: [] };
  const kind = text === null ? 'nothing' : 'message';
  const none = {
    target: null,
    replyTo: null,
    forwarded: 0,
    sets: [],
    unsets: [],
    attachments: [],
    lifetimeS: null,
    expiresAtMs: null,
  };
  return { position, about: null, record: { ...rest, ...none, kind, words } };
}
