/** The device behind `Api`: its store, its connection, and what a person does with them. */

import type { Contact, PendingRecovery } from '../bodies.ts';
import type { Bytes } from '../codec.ts';
import { decodeContactCode, encodeContactCode } from '../contact-code.ts';
import { decodeLeafCredential } from '../credential.ts';
import { LocalProtocolError, RefusedError, UnavailableError } from '../errors.ts';
import { toHex } from '../hex.ts';
import type { DeviceUri, RoomUri, UserUri } from '../ids.ts';
import type { MimiContent } from '../content.ts';
import type { Agreement, Api, LinkShown, Me, OwnDevice } from './api.ts';
import type { Author, Manner } from './author.ts';
import { wiped } from './errors.ts';
import type { Connection } from './connection.ts';
import type { Device, RoomsOfDevice } from './device.ts';
import type { OpenedFile } from './downloads.ts';
import type { RoomProfile } from '../profile.ts';
import { decodeRoles, Role, type RoleName, roleName } from '../roles.ts';
import type {
  ConnectionState,
  Event,
  FaultSeen,
  FileUpload,
  Message,
  MessageKey,
  Notice,
  RoomSummary,
  StorageState,
} from './events.ts';
import type { ContactAction } from './hub.ts';
import { newIdentity, signedList } from './identity.ts';
import { loaded } from '../late.ts';
import type { OwnKeys } from './own-keys.ts';
import { Lock } from './lock.ts';
import {
  type Evidence,
  FRESH_KEYS,
  type Identity,
  type Intent,
  isOpen,
  ROOM_NAME_BYTES,
  type RoomRecord,
  type Upload,
} from './records.ts';
import { Store, type StoreState } from './store.ts';
import { random } from './surroundings.ts';
import type { OutgoingFile } from './uploads.ts';

/** How often a new device asks whether it was taken in. */
const LINK_POLL_MS = 1_000;

export class Client implements Omit<Api, 'startAnew'> {
  readonly #store: Store;
  readonly #serverUrl: string;
  readonly #tell: (events: Event[]) => void;
  readonly #making = new Lock();
  #connection: Connection | null = null;

  private constructor(store: Store, serverUrl: string, tell: (events: Event[]) => void) {
    this.#store = store;
    this.#serverUrl = serverUrl;
    this.#tell = tell;
  }

  /** The device in the store named `name`, connected if somebody is registered there. Throws `StoreError`. */
  static async open(name: string, serverUrl: string, tell: (events: Event[]) => void): Promise<Client> {
    const store = await Store.open(name, (state) => {
      void storageState(state).then((state) => {
        tell([{ kind: 'storage_changed', state }]);
      });
    });
    const client = new Client(store, serverUrl, tell);
    const identity = store.identity.get('');
    if (identity?.registered) (await client.#connect(identity)).start();
    return client;
  }

  /** Nothing is read, written or sent any more. */
  async close(): Promise<void> {
    await this.#connection?.stop();
    this.#store.close();
  }

  /** What has to do with MLS is loaded now: who looks at the app for the first time can type before it is there. */
  async #connect(identity: Identity): Promise<Connection> {
    const { Connection } = await loaded(import('./connection.ts'));
    this.#connection = await Connection.open(this.#store, identity, this.#tell);
    return this.#connection;
  }

  get #open(): Connection {
    if (this.#connection === null) throw new RefusedError('unauthenticated');
    return this.#connection;
  }

  // --- the person

  me(): Promise<Me | null> {
    const identity = this.#store.identity.get('');
    return Promise.resolve(identity?.registered ? this.#describe(identity) : null);
  }

  #describe({ user, device }: Identity): Me {
    return { user, device, receipts: this.#wants('receipts'), typing: this.#wants('typing') };
  }

  register(user: UserUri): Promise<Me> {
    return this.#making.hold(async () => {
      const known = await this.me();
      if (known?.user === user) return known;
      const identity = await newIdentity(this.#store, this.#serverUrl, user);
      const connection = await this.#connect(identity);
      try {
        await this.#publish(connection, identity);
      } catch (error) {
        this.#connection = null;
        if (error instanceof RefusedError) await this.#forget(identity);
        throw error;
      }
      connection.start();
      return this.#describe(identity);
    });
  }

  async #publish({ hub, device, housekeeping }: Connection, identity: Identity): Promise<void> {
    const listed = device.trust.deviceList(identity.user);
    if (listed === null) throw new LocalProtocolError('a device without its own device list');
    await hub.register(await signedList(this.#store, listed));
    await housekeeping.refreshDirectory();
    await housekeeping.publishKeyPackages({ remaining: 0, hasLastResort: false });
    await device.alone(() =>
      this.#store.transaction(() => {
        this.#store.identity.put('', { ...identity, registered: true });
      }),
    );
  }

  async #forget({ user }: Identity): Promise<void> {
    await this.#store.transaction(() => {
      this.#store.identity.delete('');
      this.#store.pins.delete(user);
    });
  }

  // --- this person's devices

  devices(): Promise<OwnDevice[]> {
    const { trust, identity } = this.#open.device;
    const listed = trust.deviceList(identity.user)?.devices ?? [];
    return Promise.resolve(listed.map(({ uri, maySign }) => ({ device: uri, maySign, this: uri === identity.device })));
  }

  showLink(user: UserUri): Promise<LinkShown> {
    return this.#making.hold(async () => {
      const { showLink } = await loaded(import('./linking.ts'));
      return showLink(this.#store, user);
    });
  }

  async linked(): Promise<Me> {
    for (;;) {
      const me = await this.#making.hold(() => this.#join());
      if (me !== null) return me;
      await new Promise((resolve) => setTimeout(resolve, LINK_POLL_MS));
    }
  }

  /** Who this is, once another device has taken it in; null before. */
  async #join(): Promise<Me | null> {
    const known = await this.me();
    if (known !== null) return known;
    const { joinByLink } = await loaded(import('./linking.ts'));
    const identity = await joinByLink(this.#store, this.#serverUrl);
    if (identity === null) return null;
    (await this.#connect(identity)).start();
    return this.#describe(identity);
  }

  async linkNumber(text: string): Promise<string> {
    const { linkNumber, readLinkCode } = await loaded(import('../linking.ts'));
    return linkNumber(readLinkCode(text));
  }

  // --- keys

  async #keys(): Promise<OwnKeys> {
    const connection = this.#open;
    const { OwnKeys } = await loaded(import('./keys.ts'));
    return new OwnKeys(connection);
  }

  async acceptDevice(text: string): Promise<DeviceUri> {
    return (await this.#keys()).acceptDevice(text);
  }

  async removeDevice(device: DeviceUri, words: string | null = null): Promise<void> {
    return (await this.#keys()).removeDevice(device, words);
  }

  async hasRecoveryKey(): Promise<boolean> {
    return (await this.#keys()).hasRecoveryKey();
  }

  async makeRecoveryKey(): Promise<string> {
    return (await this.#keys()).makeRecoveryKey();
  }

  async waitingRecovery(): Promise<PendingRecovery | null> {
    return (await this.#keys()).waitingRecovery();
  }

  cancelRecovery(): Promise<void> {
    return this.#open.hub.cancelRecovery();
  }

  async notices(unseen = false): Promise<Notice[]> {
    return (await this.#keys()).notices(unseen);
  }

  async seeNotices(): Promise<void> {
    return (await this.#keys()).seeNotices();
  }

  async compare(user: UserUri): Promise<void> {
    return (await this.#keys()).compare(user);
  }

  async isCompared(user: UserUri): Promise<boolean> {
    return (await this.#keys()).isCompared(user);
  }

  async strangers(): Promise<UserUri[]> {
    return (await this.#keys()).strangers();
  }

  async acceptAnew(user: UserUri): Promise<void> {
    return (await this.#keys()).acceptAnew(user);
  }

  async roomsOf(device: DeviceUri): Promise<RoomsOfDevice> {
    return (await this.#keys()).roomsOf(device);
  }

  #wants(name: 'receipts' | 'typing'): boolean {
    return this.#store.settings.get(name) ?? true;
  }

  setReceipts(wanted: boolean): Promise<void> {
    return this.#prefer('receipts', wanted);
  }

  setTyping(wanted: boolean): Promise<void> {
    return this.#prefer('typing', wanted);
  }

  async #prefer(name: 'receipts' | 'typing', wanted: boolean): Promise<void> {
    await this.#open.device.alone(() =>
      this.#store.transaction(() => {
        this.#store.settings.put(name, wanted);
      }),
    );
  }

  /** The device is still here. Throws `StoreError` `wiped`. */
  check(): void {
    if (this.#store.state === 'wiped') throw wiped();
  }

  storage(): Promise<StorageState> {
    return storageState(this.#store.state);
  }

  connectionState(): Promise<ConnectionState> {
    return Promise.resolve(this.#connection?.state ?? 'offline');
  }

  hurry(): Promise<void> {
    this.#connection?.hurry();
    return Promise.resolve();
  }

  // --- contacts

  async contacts(heard = false): Promise<Contact[]> {
    const connection = this.#open;
    if (heard) return this.#store.contacts.values().toSorted((left, right) => (left.user < right.user ? -1 : 1));
    try {
      return await connection.housekeeping.refreshContacts();
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      return this.#store.contacts.values();
    } finally {
      connection.wake();
    }
  }

  async contact(action: ContactAction, user: UserUri): Promise<void> {
    await this.#open.hub.contact(action, user); // the server wakes whoever sees a change, ourselves included
  }

  async requestByCode(code: string): Promise<UserUri> {
    const { device } = this.#open;
    const read = await decodeContactCode(code);
    await device.alone(() =>
      device.store.transaction(() => {
        device.trust.expect(read);
      }),
    );
    await this.contact('request', read.user);
    return read.user;
  }

  contactCode(): Promise<string> {
    return encodeContactCode(this.#open.device.identity);
  }

  async safetyNumber(user: UserUri): Promise<string> {
    return (await this.#keys()).safetyNumber(user);
  }

  // --- rooms

  async rooms(): Promise<RoomSummary[]> {
    await this.#expire();
    const records = this.#store.rooms.values().filter(isOpen);
    const summaries = await Promise.all(
      records.map(async ({ room, members, unread, lifetimeS, roles: encoded }): Promise<RoomSummary> => {
        const [last] = await this.#store.timeline.messages(room, 1);
        const roles = Array.from(decodeRoles(encoded)).map(([user, role]) => [user, roleName(role)] as const);
        const { name, picture } = this.#store.profiles.get(room)?.profile ?? { name: '', picture: null };
        const pictured = picture !== null;
        return { room, members, unread: unread.length, last: last ?? null, lifetimeS, roles, name, pictured };
      }),
    );
    return summaries.sort((left, right) => newest(right) - newest(left));
  }

  roomWith(user: UserUri): Promise<RoomUri> {
    return this.#making.hold(async () => {
      const wanted = [this.#open.device.identity.user, user].sort().join();
      const unnamed = this.#store.rooms.values().filter(({ room }) => !this.#store.profiles.get(room)?.profile);
      const known = unnamed.filter((record) => isOpen(record) && record.members.join() === wanted);
      const best = known.find((record) => record.standing === 'joined') ?? known[0];
      if (best === undefined) return this.#createRoom([user], random(ROOM_NAME_BYTES));
      if (best.standing === 'created') await this.#announce(best.room);
      return best.room;
    });
  }

  createRoom(users: readonly UserUri[], name: Bytes): Promise<RoomUri> {
    return this.#making.hold(() => this.#createRoom(users, name));
  }

  async #createRoom(users: readonly UserUri[], name: Bytes): Promise<RoomUri> {
    const { device, housekeeping, watchers } = this.#open;
    const room = device.roomNamed(name);
    const known = this.#store.rooms.get(room);
    if (known !== null) return this.#complete(known);
    const packages = await housekeeping.claim(users);
    const agent = await housekeeping.frankingAgent();
    const submissionId = await device.createRoom(room, users, packages, agent);
    const added = watchers.expect(submissionId);
    await this.#announce(room);
    await added;
    return room;
  }

  /** The room, which this device began before, is as `createRoom` leaves it. */
  async #complete(record: RoomRecord): Promise<RoomUri> {
    const { room, standing } = record;
    if (!isOpen(record)) throw new RefusedError('not_found');
    const { watchers } = this.#open;
    const [first] = this.#store.outboxOf(room).filter((item) => item.kind === 'commit');
    const added = first && watchers.expect(first.submissionId);
    if (standing === 'created') await this.#announce(room);
    await added;
    return room;
  }

  async #announce(room: RoomUri): Promise<void> {
    const connection = this.#open;
    try {
      await connection.housekeeping.announceRoom(room);
    } catch (error) {
      if (error instanceof UnavailableError) connection.chore('everything_else'); // which announces it again
      throw error;
    }
    connection.wake();
  }

  async add(room: RoomUri, users: readonly UserUri[]): Promise<void> {
    await this.#change(room, { ...FRESH_KEYS, add: await this.#open.housekeeping.claim(users) });
  }

  remove(room: RoomUri, users: readonly UserUri[], ban = false): Promise<void> {
    const give = ban ? users.map((user) => [user, Role.banned] as const) : [];
    return this.#change(room, { ...FRESH_KEYS, remove: users, give });
  }

  async leave(room: RoomUri): Promise<void> {
    await this.#open.device.leave(room);
    this.#open.wake();
  }

  unban(room: RoomUri, user: UserUri): Promise<void> {
    return this.#change(room, { ...FRESH_KEYS, give: [[user, Role.left]] });
  }

  giveRole(room: RoomUri, user: UserUri, role: RoleName): Promise<void> {
    return this.#change(room, { ...FRESH_KEYS, give: [[user, Role[role]]] });
  }

  async setProfile(room: RoomUri, profile: RoomProfile, salt: Bytes): Promise<void> {
    await this.waitSent(await this.#say((author) => Promise.resolve(author.profile(room, profile, salt))));
  }

  profile(room: RoomUri): Promise<RoomProfile | null> {
    return Promise.resolve(this.#open.device.store.profiles.get(room)?.profile ?? null);
  }

  update(room: RoomUri): Promise<void> {
    return this.#change(room, FRESH_KEYS);
  }

  async #change(room: RoomUri, intent: Intent): Promise<void> {
    const { device, watchers } = this.#open;
    const submissionId = await device.changeRoom(room, intent);
    const done = watchers.expect(submissionId);
    this.#open.wake();
    await done;
  }

  agreement(room: RoomUri): Promise<Agreement> {
    const { device } = this.#open;
    return device.alone(async () => {
      if (device.store.rooms.get(room)?.standing !== 'joined') throw new RefusedError('not_found');
      const { epoch, epochAuthenticator, confirmedTranscriptHash, members } = await device.groups.get(room);
      return {
        epoch,
        authenticator: toHex(epochAuthenticator),
        transcript: toHex(confirmedTranscriptHash),
        devices: members.map((leaf) => decodeLeafCredential(leaf.credential).device),
      };
    });
  }

  // --- messages

  async send(room: RoomUri, text: string, manner: Manner, salt: Bytes): Promise<MessageKey> {
    return this.#say(async (author) => author.text(room, text, manner, salt));
  }

  edit(messageId: MessageKey, text: string, salt: Bytes): Promise<MessageKey> {
    return this.#say((author) => author.edit(messageId, text, salt));
  }

  delete(messageId: MessageKey, salt: Bytes): Promise<MessageKey | null> {
    return this.#sayIf((author) => author.deletion(messageId, salt));
  }

  react(messageId: MessageKey, text: string, salt: Bytes): Promise<MessageKey | null> {
    return this.#sayIf((author) => author.reaction(messageId, text, salt));
  }

  unreact(messageId: MessageKey, text: string, salt: Bytes): Promise<MessageKey | null> {
    return this.#sayIf((author) => author.reactionTakenBack(messageId, text, salt));
  }

  forward(messageId: MessageKey, rooms: readonly RoomUri[], salts: readonly Bytes[]): Promise<MessageKey[]> {
    return this.#do((device) => device.say((author) => author.forward(messageId, rooms, salts)));
  }

  async #say(make: (author: Author) => Promise<MimiContent>): Promise<MessageKey> {
    const [messageId] = await this.#do((device) => device.say(async (author) => [await make(author)]));
    if (messageId === undefined) throw new LocalProtocolError('something was said, and is not there');
    return messageId;
  }

  /** Null: there was nothing to say. */
  async #sayIf(make: (author: Author) => Promise<MimiContent | null>): Promise<MessageKey | null> {
    const [messageId] = await this.#do((device) =>
      device.say(async (author) => [await make(author)].filter((message) => message !== null)),
    );
    return messageId ?? null;
  }

  typing(room: RoomUri): Promise<void> {
    return this.#do((device) => {
      device.tellTyping(room);
      return Promise.resolve();
    });
  }

  setLifetime(room: RoomUri, seconds: number | null): Promise<void> {
    return this.#do((device) => device.setLifetime(room, seconds));
  }

  async #do<Value>(work: (device: Device) => Promise<Value>): Promise<Value> {
    const connection = this.#open;
    const value = await work(connection.device);
    connection.wake();
    return value;
  }

  async waitSent(messageId: MessageKey): Promise<void> {
    const { device, watchers } = this.#open;
    const expected = await device.alone(async () => {
      const message = await this.#store.message(messageId);
      if (message === null) throw new RefusedError('not_found');
      if (message.state === 'failed') throw new RefusedError(message.problem ?? 'internal');
      return message.state === 'queued' ? { until: watchers.expect(messageId) } : null;
    });
    await expected?.until;
  }

  async messages(room: RoomUri, limit: number, before: MessageKey | null = null): Promise<Message[]> {
    await this.#expire();
    return this.#store.timeline.messages(room, limit, before);
  }

  async message(messageId: MessageKey): Promise<Message | null> {
    await this.#expire();
    return this.#store.timeline.message(messageId);
  }

  versions(messageId: MessageKey): Promise<MessageKey[]> {
    return this.#store.timeline.versions(messageId);
  }

  /** What the clock says is over is not shown, whatever the loop is doing. */
  async #expire(): Promise<void> {
    const { device } = this.#open;
    await device.expire();
    if (device.events.length > 0) this.#open.wake();
  }

  async markRead(room: RoomUri): Promise<void> {
    await this.#open.device.markRead(room);
    this.#open.planReceipts();
    this.#open.wake();
  }

  // --- files

  sendFile(room: RoomUri, file: OutgoingFile, salt: Bytes): Promise<string> {
    return this.#open.sendFile(room, file, salt);
  }

  uploads(room: RoomUri): Promise<FileUpload[]> {
    const uploads = this.#store.uploads.values().filter((upload) => upload.room === room);
    return Promise.resolve(uploads.map(asFileUpload));
  }

  cancelUpload(uploadId: string): Promise<void> {
    return this.#open.cancelUpload(uploadId);
  }

  openFile(messageId: MessageKey, number: number): Promise<OpenedFile> {
    return this.#open.openFile(messageId, number);
  }

  // --- what a report or a person's own look needs

  evidence(messageId: MessageKey): Promise<Evidence | null> {
    return this.#store.evidence(messageId);
  }

  faults(): Promise<FaultSeen[]> {
    return Promise.resolve(this.#store.faults.values());
  }
}

function asFileUpload({ uploadId, filename, contentType, seal, caption, preview, problem }: Upload): FileUpload {
  return { uploadId, filename, contentType, size: seal.size, caption, preview, problem };
}

async function storageState(state: StoreState): Promise<StorageState> {
  if (state !== 'open') return state;
  return (await navigator.storage.persisted()) ? 'kept' : 'evictable';
}

/** Rooms with something queued come first, those without a message last. */
function newest({ last }: RoomSummary): number {
  return last === null ? 0 : (last.acceptedAtMs ?? Number.MAX_SAFE_INTEGER);
}
