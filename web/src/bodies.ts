/**
 * What the HTTP interface answers, read strictly, so that every client reads the same or refuses.
 *
 * JSON alone leaves too much open: `1.0` and `1`, integers that only some languages hold, half a surrogate pair, the many
 * ways to write one byte in base64. None of these is of the interface. Members that are not known are ignored, and of two
 * with one name the last counts, which is all that a browser's own reader can do.
 *
 * Source: RFC 8259 "JSON"; RFC 7493 "I-JSON" section 2; RFC 4648 section 3.5 "Canonical Encoding"; `docs/protocol.md`.
 */

import { type Bytes, readUtf8 } from './codec.ts';
import { PROBLEM_NAMES, type ProblemName, RemoteProtocolError } from './errors.ts';
import {
  type BlobId,
  type DeviceUri,
  type HubUri,
  type ProviderName,
  type RoomUri,
  type Seq,
  type TimestampMs,
  type UserUri,
  parseBlobId,
  parseDeviceUri,
  parseHubUri,
  parseRoomUri,
  parseUserUri,
} from './ids.ts';

// --- bytes in JSON --------------------------------------------------------------------------------------------------

/** The base64 of `data`. */
export function toBase64(data: Uint8Array): string {
  return btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(''));
}

/** The bytes whose base64 is `text`, whole and without spaces, or null if it is none. */
export function fromBase64(text: string): Bytes | null {
  try {
    const data = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return toBase64(data) === text ? data : null;
  } catch {
    return null;
  }
}

// --- JSON -----------------------------------------------------------------------------------------------------------

/** Objects and arrays inside each other. The interface needs four. */
const MAX_DEPTH = 8;
const TEXTS = /"(?:[^"\\]|\\.)*"/gu;
const FRACTION_OR_EXPONENT = /\d[.eE]/u;

/** The JSON in `data`, UTF-8; none at all is null. Throws `RemoteProtocolError` NL-541. */
export function readJson(data: Uint8Array): unknown {
  if (data.length === 0) return null;
  const text = readUtf8(data) ?? refuse();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    refuse();
  }
  // JSON.parse makes 1 of 1.0; no member of the interface is written like that.
  if (FRACTION_OR_EXPONENT.test(text.replace(TEXTS, ''))) refuse();
  check(value, 0);
  return value;
}

/** Throws for what only some languages can hold, in members that are not known too. */
function check(value: unknown, depth: number): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) refuse();
  if (typeof value === 'string' && !value.isWellFormed()) refuse();
  if (typeof value !== 'object' || value === null) return;
  if (depth === MAX_DEPTH) refuse();
  for (const [name, member] of Object.entries(value)) {
    check(name, depth);
    check(member, depth + 1);
  }
}

// --- members --------------------------------------------------------------------------------------------------------

function refuse(): never {
  throw new RemoteProtocolError('NL-541', 'an answer that is not of the interface');
}

/** Reads the members of one JSON object. Every method throws `RemoteProtocolError` NL-541 for another type. */
class Members {
  readonly #object: Record<string, unknown>;

  constructor(value: unknown) {
    if (typeof value !== 'object' || value === null) refuse();
    this.#object = value as Record<string, unknown>;
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }

  text(name: string): string {
    return asText(this.#get(name));
  }

  /** A name on the wire that `parse` takes. */
  name<Name extends string>(name: string, parse: (text: string) => Name): Name {
    const text = this.text(name);
    try {
      return parse(text);
    } catch {
      refuse();
    }
  }

  flag(name: string): boolean {
    const value = this.#get(name);
    return typeof value === 'boolean' ? value : refuse();
  }

  uint(name: string): number {
    const value = this.#get(name);
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : refuse();
  }

  optionalUint(name: string): number | null {
    return this.#get(name) === undefined ? null : this.uint(name);
  }

  optionalBytes(name: string): Bytes | null {
    const value = this.#get(name);
    return value === undefined || value === null ? null : asBytes(value);
  }

  bytes(name: string, length?: number): Bytes {
    return asBytes(this.#get(name), length);
  }

  oneOf<Name extends string>(name: string, names: readonly Name[]): Name {
    return names.find((known) => known === this.#get(name)) ?? refuse();
  }

  optionalList<Item>(name: string, read: (value: unknown) => Item): Item[] {
    return this.#get(name) === undefined ? [] : this.list(name, read);
  }

  list<Item>(name: string, read: (value: unknown) => Item): Item[] {
    return readList(this.#get(name), read);
  }

  of<Item>(name: string, read: (value: unknown) => Item): Item {
    return read(this.#get(name));
  }
}

function asBytes(value: unknown, length?: number): Bytes {
  const bytes = typeof value === 'string' ? fromBase64(value) : null;
  return bytes !== null && (length === undefined || bytes.length === length) ? bytes : refuse();
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : refuse();
}

function readList<Item>(value: unknown, read: (value: unknown) => Item): Item[] {
  return Array.isArray(value) ? value.map(read) : refuse();
}

// --- answers --------------------------------------------------------------------------------------------------------

const KEY_BYTES = 32;
const NONCE_BYTES = 32;

/** How far an upload is: `received` of `size` bytes. `chunkBytes`: what each chunk but the last has. */
export interface BlobUpload {
  readonly blob: BlobId;
  readonly size: number;
  readonly received: number;
  readonly chunkBytes: number;
  readonly finished: boolean;
}

export function readBlobUpload(value: unknown): BlobUpload {
  const members = new Members(value);
  const chunkBytes = members.uint('chunk_bytes');
  if (chunkBytes === 0) refuse();
  return {
    blob: members.name('blob', parseBlobId),
    size: members.uint('size'),
    received: members.uint('received'),
    chunkBytes,
    finished: members.flag('finished'),
  };
}

/** What clients pin of this hub. `frankingKeys`: Ed25519 public keys that a room may name, newest first. */
export interface Directory {
  readonly hub: HubUri;
  readonly providers: readonly ProviderName[];
  readonly frankingKeys: readonly Bytes[];
}

export function readDirectory(value: unknown): Directory {
  const members = new Members(value);
  return {
    hub: members.name('hub', parseHubUri),
    providers: members.list('providers', asText) as ProviderName[],
    frankingKeys: members.list('franking_keys', (key) => asBytes(key, KEY_BYTES)),
  };
}

/** What to sign: `sessionContent(origin, device, nonce, expiresAtMs)`. */
export interface Challenge {
  readonly origin: string;
  readonly nonce: Bytes;
  readonly expiresAtMs: TimestampMs;
}

export function readChallenge(value: unknown): Challenge {
  const members = new Members(value);
  return {
    origin: members.text('origin'),
    nonce: members.bytes('nonce', NONCE_BYTES),
    expiresAtMs: members.uint('expires_at_ms') as TimestampMs,
  };
}

/** A bearer token bound to the device. */
export interface Session {
  readonly token: string;
  readonly expiresAtMs: TimestampMs;
}

export function readSession(value: unknown): Session {
  const members = new Members(value);
  return { token: members.text('token'), expiresAtMs: members.uint('expires_at_ms') as TimestampMs };
}

/** Somebody with the recovery key of the caller makes `device` theirs, and their only one, at `readyAtMs`. */
export interface PendingRecovery {
  readonly device: DeviceUri;
  readonly begunAtMs: TimestampMs;
  readonly readyAtMs: TimestampMs;
}

function readRecovery(value: unknown): PendingRecovery | null {
  if (value === undefined || value === null) return null;
  const members = new Members(value);
  return {
    device: members.name('device', parseDeviceUri),
    begunAtMs: members.uint('begun_at_ms') as TimestampMs,
    readyAtMs: members.uint('ready_at_ms') as TimestampMs,
  };
}

/**
 * What a contact needs to check a leaf. `deviceList`: signed; nothing in it is believed yet.
 *
 * `successions`: how each account key followed the one before, oldest first. `credential`: for the caller alone, of the
 * caller's own leaves, where another of their devices has replaced the account key.
 */
export interface UserDevices {
  readonly user: UserUri;
  readonly accountKey: Bytes;
  readonly deviceList: Bytes;
  readonly successions: readonly Bytes[];
  readonly credential: Bytes | null;
  /** For the caller alone: the one that waits. */
  readonly recovery: PendingRecovery | null;
}

export function readUserDevices(value: unknown): UserDevices {
  const members = new Members(value);
  return {
    user: members.name('user', parseUserUri),
    accountKey: members.bytes('account_key', KEY_BYTES),
    deviceList: members.bytes('device_list'),
    successions: members.optionalList('successions', (bytes) => asBytes(bytes)),
    credential: members.optionalBytes('credential'),
    recovery: members.of('recovery', readRecovery),
  };
}

/** How many single-use key packages are left for the caller's device. */
export interface KeyPackageCount {
  readonly remaining: number;
  readonly hasLastResort: boolean;
}

export function readKeyPackageCount(value: unknown): KeyPackageCount {
  const members = new Members(value);
  return { remaining: members.uint('remaining'), hasLastResort: members.flag('has_last_resort') };
}

/** The devices of one user, each with a key package; and the list that vouches for them. */
export interface ClaimedKeyPackages {
  readonly devices: UserDevices;
  readonly keyPackages: readonly Bytes[];
}

export function readClaimedKeyPackages(value: unknown): ClaimedKeyPackages {
  const members = new Members(value);
  return {
    devices: members.of('devices', readUserDevices),
    keyPackages: members.list('key_packages', (bytes) => asBytes(bytes)),
  };
}

/** How the caller stands to another user: has asked, was asked, is connected, has blocked them. */
export const CONTACT_STATES = ['requested', 'asked', 'connected', 'blocked'] as const;
export type ContactState = (typeof CONTACT_STATES)[number];

export interface Contact {
  readonly user: UserUri;
  readonly state: ContactState;
  readonly sinceMs: TimestampMs;
  /** Of somebody connected: how often their account key was replaced. */
  readonly successions: number;
}

export function readContacts(value: unknown): Contact[] {
  return readList(value, (item) => {
    const members = new Members(item);
    return {
      user: members.name('user', parseUserUri),
      state: members.oneOf('state', CONTACT_STATES),
      sinceMs: members.uint('since_ms') as TimestampMs,
      successions: members.optionalUint('successions') ?? 0,
    };
  });
}

/** What an old device has left for a new one, sealed. */
export function readMailbox(value: unknown): Bytes {
  return new Members(value).bytes('package');
}

/**
 * A device in a room, and the first entry of the log that it sees.
 *
 * `revoked`: somebody has to remove it; `lost`: it cannot go on, and somebody has to add it anew.
 */
export interface RoomMember {
  readonly device: DeviceUri;
  readonly joinedSeq: Seq;
  readonly revoked: boolean;
  readonly lost: boolean;
}

/** A user's role in a room, by its name in `Role`. */
export interface RoomParticipant {
  readonly user: UserUri;
  readonly role: string;
}

/** What the hub knows of a room. */
export interface Room {
  readonly room: RoomUri;
  readonly epoch: number;
  readonly head: Seq;
  readonly members: readonly RoomMember[];
  /** In the order in which they came. */
  readonly participants: readonly RoomParticipant[];
}

export function readRoom(value: unknown): Room {
  const members = new Members(value);
  return {
    room: members.name('room', parseRoomUri),
    epoch: members.uint('epoch'),
    head: members.uint('head') as Seq,
    members: members.list('members', (item) => {
      const member = new Members(item);
      return {
        device: member.name('device', parseDeviceUri),
        joinedSeq: member.uint('joined_seq') as Seq,
        revoked: member.flag('revoked'),
        lost: member.flag('lost'),
      };
    }),
    participants: members.list('participants', (item) => {
      const participant = new Members(item);
      return { user: participant.name('user', parseUserUri), role: participant.text('role') };
    }),
  };
}

export function readRooms(value: unknown): Room[] {
  return readList(value, readRoom);
}

/** A failure, as RFC 9457 has it. `epoch` goes with `wrong_epoch`. */
export interface Problem {
  readonly name: ProblemName;
  readonly epoch: number | null;
}

export function readProblem(value: unknown): Problem {
  const members = new Members(value);
  const type = members.text('type');
  const name = PROBLEM_NAMES.find((known) => type.slice(type.lastIndexOf('/') + 1) === known);
  return { name: name ?? refuse(), epoch: members.optionalUint('epoch') };
}
