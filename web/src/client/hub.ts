/** The server as one signed-in device sees it: every HTTP endpoint once, by name. */

import {
  type BlobUpload,
  type Challenge,
  type ClaimedKeyPackages,
  type Contact,
  type Directory,
  type KeyPackageCount,
  readBlobUpload,
  readChallenge,
  readClaimedKeyPackages,
  readContacts,
  readDirectory,
  readKeyPackageCount,
  readMailbox,
  readRoom,
  readRooms,
  readSession,
  readUserDevices,
  type Room,
  type Session,
  toBase64,
  type UserDevices,
} from '../bodies.ts';
import type { Bytes } from '../codec.ts';
import { SESSION_LABEL, sessionContent } from '../credential.ts';
import { RefusedError, RemoteProtocolError } from '../errors.ts';
import { toHex } from '../hex.ts';
import { ask, askRange, type Call } from '../http.ts';
import type { BlobId, DeviceUri, RoomUri, UserUri } from '../ids.ts';
import { signer } from '../signature.ts';
import type { Identity, Lost, Replacing } from './records.ts';
import type { Store } from './store.ts';
import { now } from './surroundings.ts';
import { openStream, type Stream } from './stream.ts';

/** A token that ends sooner than this is replaced first. */
const TOKEN_MARGIN_MS = 60_000;

/** In one answer to GET /v1/rooms. */
const MAX_ROOMS = 100;

/** What a person does about another. */
export type ContactAction = 'request' | 'accept' | 'decline' | 'cancel' | 'block' | 'unblock';

/** Key packages to publish, as MLSMessages. */
export interface KeyPackageUpload {
  readonly keyPackages: readonly Bytes[];
  readonly lastResort: Bytes | null;
}

/** A device that its user takes in. `sealed`: what it fetches at `mailbox`. */
export interface DeviceLink {
  readonly device: DeviceUri;
  readonly sessionKey: Bytes;
  readonly mailbox: Bytes;
  readonly sealed: Bytes;
}

/** Signs in when needed. Every method throws `RefusedError`, `UnavailableError`, `RemoteProtocolError`. */
export class Hub {
  readonly #identity: Identity;
  readonly #store: Store;
  #session: Promise<Session> | null = null;

  constructor(identity: Identity, store: Store) {
    this.#identity = identity;
    this.#store = store;
  }

  /** The next call signs in anew. */
  forgetToken(): void {
    this.#session = null;
  }

  /** A connection that has said Hello with `cursors`. */
  async openStream(cursors: ReadonlyMap<RoomUri, number>): Promise<Stream> {
    const token = await this.#token();
    const stream = await openStream();
    stream.send({ frame: 'hello', token, cursors });
    return stream;
  }

  /** The account exists; a repeat changes nothing. `deviceList`: signed. */
  async register(deviceList: Bytes): Promise<UserDevices> {
    const { user, device, accountKey, sessionKey } = this.#identity;
    const body = {
      user,
      device,
      account_key: toBase64(accountKey),
      device_list: toBase64(deviceList),
      session_key: toBase64(sessionKey),
    };
    return ask('/v1/accounts', { method: 'POST', body, read: readUserDevices });
  }

  /** The hub's name and franking keys. */
  directory(): Promise<Directory> {
    return ask('/v1/directory', { read: readDirectory });
  }

  /** `deviceList`, signed, is this user's newest, and the device that it links may fetch its package. */
  publishDeviceList(deviceList: Bytes, link: DeviceLink | null = null): Promise<UserDevices> {
    const body = {
      device_list: toBase64(deviceList),
      link: link && {
        device: link.device,
        session_key: toBase64(link.sessionKey),
        mailbox: toBase64(link.mailbox),
        package: toBase64(link.sealed),
      },
    };
    return this.#call('/v1/device-list', { method: 'PUT', body, read: readUserDevices });
  }

  /** `deviceList`, signed, the first under a new account key, is this user's newest. */
  publishAccountKey({ deviceList, succession, credentials }: Replacing): Promise<UserDevices> {
    const change = { succession: toBase64(succession), credentials: credentials.map(toBase64) };
    const body = { device_list: toBase64(deviceList), change };
    return this.#call('/v1/device-list', { method: 'PUT', body, read: readUserDevices });
  }

  /** No recovery of this person waits. */
  async cancelRecovery(): Promise<void> {
    await this.#call('/v1/recoveries', { method: 'DELETE', read: () => null });
  }

  /** The newest device list of `user`, a contact or somebody in a room with us. */
  deviceList(user: UserUri): Promise<UserDevices> {
    return this.#call(`/v1/device-list?user=${encodeURIComponent(user)}`, { read: readUserDevices });
  }

  /** How many are left for this device. */
  countKeyPackages(): Promise<KeyPackageCount> {
    return this.#call('/v1/key-packages', { read: readKeyPackageCount });
  }

  /** They can be claimed. */
  publishKeyPackages({ keyPackages, lastResort }: KeyPackageUpload): Promise<KeyPackageCount> {
    const body = { key_packages: keyPackages.map(toBase64), last_resort: lastResort && toBase64(lastResort) };
    return this.#call('/v1/key-packages', { method: 'POST', body, read: readKeyPackageCount });
  }

  /** One for each device of `user`. */
  claimKeyPackages(user: UserUri, devices: readonly DeviceUri[] | null = null): Promise<ClaimedKeyPackages> {
    return this.#call('/v1/key-packages/claim', {
      method: 'POST',
      body: { user, devices },
      read: readClaimedKeyPackages,
    });
  }

  /** Everyone this user has a relation with. */
  contacts(): Promise<Contact[]> {
    return this.#call('/v1/contacts', { read: readContacts });
  }

  /** The action is done. */
  async contact(action: ContactAction, user: UserUri): Promise<void> {
    await this.#call(`/v1/contacts/${action}`, { method: 'POST', body: { user }, read: () => null });
  }

  /** The hub knows the room; a repeat changes nothing. */
  createRoom(room: RoomUri, groupInfo: Bytes): Promise<Room> {
    const body = { room, group_info: toBase64(groupInfo) };
    return this.#call('/v1/rooms', { method: 'POST', body, read: readRoom });
  }

  /** The others in the room hear that this device cannot go on there. */
  async sayUnusable(room: RoomUri, { seq, digest }: Lost): Promise<void> {
    const body = { room, seq, digest: digest === null ? null : toBase64(digest) };
    await this.#call('/v1/rooms/unusable', { method: 'POST', body, read: () => null });
  }

  /** What the hub knows of the rooms that this device is in. */
  async rooms(): Promise<Room[]> {
    const rooms: Room[] = [];
    for (;;) {
      const last = rooms.at(-1);
      const after = last === undefined ? '' : `?after=${encodeURIComponent(last.room)}`;
      const page = await this.#call(`/v1/rooms${after}`, { read: readRooms });
      rooms.push(...page);
      if (page.length < MAX_ROOMS) {
        return rooms;
      }
    }
  }

  /** What the hub knows of a room that this device is in. */
  room(room: RoomUri): Promise<Room> {
    return this.#call(`/v1/room?room=${encodeURIComponent(room)}`, { read: readRoom });
  }

  /** A new upload of so many bytes has an id. */
  beginUpload(size: number): Promise<BlobUpload> {
    return this.#call('/v1/blobs', { method: 'POST', body: { size }, read: readBlobUpload });
  }

  /** How far our upload is. */
  upload(blob: BlobId): Promise<BlobUpload> {
    return this.#call(`/v1/blobs/${blob}/upload`, { read: readBlobUpload });
  }

  /** The hub has the chunk; a repeat changes nothing. */
  appendChunk(blob: BlobId, offset: number, chunk: Bytes): Promise<BlobUpload> {
    const path = `/v1/blobs/${blob}/upload?offset=${offset}`;
    return this.#call(path, { method: 'PUT', body: chunk, read: readBlobUpload });
  }

  /** The blob can be fetched; a repeat changes nothing. */
  finishUpload(blob: BlobId, sha256: Bytes): Promise<BlobUpload> {
    const body = { sha256: toBase64(sha256) };
    return this.#call(`/v1/blobs/${blob}/upload`, { method: 'POST', body, read: readBlobUpload });
  }

  /** Our upload or blob is gone. */
  async removeBlob(blob: BlobId): Promise<void> {
    await this.#call(`/v1/blobs/${blob}`, { method: 'DELETE', read: () => null });
  }

  /** These bytes of a blob, both ends included. */
  fetchBlob(blob: BlobId, first: number, last: number): Promise<Bytes> {
    return this.#signed((token) => askRange(`/v1/blobs/${blob}`, first, last, token));
  }

  #call<Answer>(path: string, call: Call<Answer>): Promise<Answer> {
    return this.#signed((token) => ask(path, { ...call, token }));
  }

  async #signed<Answer>(work: (token: string) => Promise<Answer>): Promise<Answer> {
    try {
      return await work(await this.#token());
    } catch (error) {
      if (!(error instanceof RefusedError) || error.problem !== 'unauthenticated') throw error;
    }
    this.forgetToken(); // it ended early: the server was set up anew, or its clock jumped
    return work(await this.#token());
  }

  /** A bearer token that does not end soon. Who asks while somebody signs in waits for that. */
  async #token(): Promise<string> {
    const session = await this.#session?.catch(() => null);
    if (!session || session.expiresAtMs < now() + TOKEN_MARGIN_MS) this.#session = this.#signIn();
    return (await (this.#session ?? this.#signIn())).token;
  }

  async #signIn(): Promise<Session> {
    const { device, serverUrl } = this.#identity;
    const challenge: Challenge = await ask('/v1/challenges', { method: 'POST', body: { device }, read: readChallenge });
    if (challenge.origin !== serverUrl) throw new RemoteProtocolError('NL-542', 'a challenge to sign in elsewhere');
    const { nonce, expiresAtMs } = challenge;
    const content = sessionContent(challenge.origin, device, nonce, expiresAtMs);
    const signature = await signer(this.#store.key('session'))(SESSION_LABEL, content);
    const body = {
      device,
      nonce: toBase64(nonce),
      expires_at_ms: expiresAtMs,
      signature: toBase64(signature),
    };
    return ask('/v1/sessions', { method: 'POST', body, read: readSession });
  }
}

/** What an old device has left at `mailbox` for this one, which is nobody's yet; null for nothing. */
export async function fetchLink(mailbox: Bytes): Promise<Bytes | null> {
  try {
    return await ask(`/v1/link?mailbox=${toHex(mailbox)}`, { read: readMailbox });
  } catch (error) {
    if (error instanceof RefusedError && ['not_found', 'too_many'].includes(error.problem)) return null;
    throw error;
  }
}
