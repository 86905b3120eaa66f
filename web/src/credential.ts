/**
 * Whose device this is: the device list that an account key signs, the credential in a leaf, and signing in.
 *
 * Everything read off the wire starts unverified (`SignedDeviceList`, `LeafCredential`); verifying makes of it what the
 * rest of the program takes (`DeviceList`, `Leaf`).
 *
 * Source: `docs/protocol.md`, Identity.
 */

import { type Bytes, concat, equal, Reader, u64, utf8, writeVector } from './codec.ts';
import { LocalProtocolError, RemoteProtocolError, VerificationError } from './errors.ts';
import { type DeviceUri, type TimestampMs, type UserUri, parseDeviceUri, userOf } from './ids.ts';
import { PUBLIC_KEY_BYTES, type Sign, SIGNATURE_BYTES, verifyWithLabel } from './signature.ts';

export const DEVICE_LIST_LABEL = 'NLF1 device list';
export const LEAF_LABEL = 'NLF1 device';
export const SESSION_LABEL = 'NLF1 session';

export const MAX_DEVICES = 32;
export const MAX_LIFETIME_MS = 30 * 86_400_000;
/** How far the clock of whoever signed a list may be ahead of ours. */
export const CLOCK_SKEW_MS = 3_600_000;
const NO_PREVIOUS: Bytes = new Uint8Array(32);

// --- device list ----------------------------------------------------------------------------------------------------

/**
 * One entry. `signatureKey`: the Ed25519 public key of the device's leaves, 32 bytes. `maySign`: it holds the account key,
 * so that it can sign lists; removing it replaces that key.
 */
export interface Device {
  readonly uri: DeviceUri;
  readonly signatureKey: Bytes;
  readonly maySign: boolean;
}

interface ListContent {
  /** Counts from 1. */
  readonly version: bigint;
  /** SHA-256 of the list before, zeros in version 1. */
  readonly previous: Bytes;
  readonly expiresAtMs: bigint;
  /** Ed25519 public key whose private half its person has on paper, 32 bytes; empty for none. */
  readonly recoveryKey: Bytes;
  /** In the order of their URIs. */
  readonly devices: readonly Device[];
}

/**
 * The devices of `user`, as their account key says: one's own, or verified. `formerKeys`: account keys that this one has
 * replaced, not part of what is signed.
 */
export interface DeviceList extends ListContent {
  readonly user: UserUri;
  readonly accountKey: Bytes;
  readonly formerKeys: readonly Bytes[];
}

/** A device list as it came: nothing in it is believed yet. `signature`: 64 bytes. */
export interface SignedDeviceList {
  readonly content: Bytes;
  readonly signature: Bytes;
}

/**
 * What is signed.
 *
 * `u64 version ‖ previous ‖ u64 expires_at_ms ‖ V(recovery key) ‖ V({V(URI) ‖ V(signature key) ‖ u8 may_sign}…)`
 */
export function encodeDeviceList(list: ListContent): Bytes {
  const entries = list.devices.flatMap((device) => [
    writeVector(utf8(device.uri)),
    writeVector(device.signatureKey),
    Uint8Array.of(device.maySign ? 1 : 0),
  ]);
  const front = concat(u64(list.version), list.previous, u64(list.expiresAtMs));
  return concat(front, writeVector(list.recoveryKey), writeVector(concat(...entries)));
}

/** SHA-256 of the encoded list, without its signature. */
export async function deviceListDigest(list: DeviceList): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', encodeDeviceList(list)));
}

/** Version 1, with the first device of `user`, which may sign. */
export function firstDeviceList(
  user: UserUri,
  accountKey: Bytes,
  device: Omit<Device, 'maySign'>,
  expiresAtMs: TimestampMs,
): DeviceList {
  return {
    user,
    accountKey,
    formerKeys: [],
    version: 1n,
    previous: NO_PREVIOUS,
    expiresAtMs: BigInt(expiresAtMs),
    recoveryKey: new Uint8Array(),
    devices: [{ ...device, maySign: true }],
  };
}

/** The list that follows `list`, under the same account and recovery keys. */
export async function nextDeviceList(
  list: DeviceList,
  devices: readonly Device[],
  expiresAtMs: TimestampMs,
): Promise<DeviceList> {
  return {
    ...list,
    version: list.version + 1n,
    previous: await deviceListDigest(list),
    expiresAtMs: BigInt(expiresAtMs),
    devices: devices.toSorted((left, right) => (left.uri < right.uri ? -1 : 1)),
  };
}

/** `list` with its signature; `sign` is the account key's. */
export async function signDeviceList(list: DeviceList, sign: Sign): Promise<SignedDeviceList> {
  const content = encodeDeviceList(list);
  return { content, signature: await sign(DEVICE_LIST_LABEL, content) };
}

/** `V(content) ‖ V(signature)`. */
export function encodeSignedDeviceList(signed: SignedDeviceList): Bytes {
  return concat(writeVector(signed.content), writeVector(signed.signature));
}

/** Content and signature, apart. Throws `RemoteProtocolError` NL-101 to NL-104, NL-002, NL-301 to NL-304. */
export function decodeSignedDeviceList(data: Uint8Array): SignedDeviceList {
  const reader = new Reader(data);
  const signed = { content: reader.vector(), signature: reader.vector() };
  reader.finish();
  checkSignatureLength(signed.signature);
  readDeviceList(signed.content);
  return signed;
}

/**
 * The list, now that `accountKey` stands for it and it may follow `known`, the newest one seen before. `nowMs` is null for
 * a list of the past, which may have expired.
 *
 * Throws `VerificationError`: NL-311 signature, NL-312 a device of another user, NL-313 expired or lasting more than 30
 * days, NL-314 another account key than before, NL-315 an older version, NL-316 not the successor of `known` though
 * numbered so.
 */
export async function verifyDeviceList(
  signed: SignedDeviceList,
  user: UserUri,
  accountKey: Bytes,
  nowMs: TimestampMs | null,
  known: DeviceList | null = null,
): Promise<DeviceList> {
  await verifyWithLabel(accountKey, DEVICE_LIST_LABEL, signed.content, signed.signature, 'NL-311');
  const verified = { user, accountKey, formerKeys: known?.formerKeys ?? [], ...readDeviceList(signed.content) };
  if (verified.devices.some((device) => userOf(device.uri) !== user)) {
    throw new VerificationError('NL-312', 'lists a device of another user');
  }
  const { expiresAtMs } = verified;
  if (nowMs !== null && !(nowMs < expiresAtMs && expiresAtMs <= nowMs + MAX_LIFETIME_MS + CLOCK_SKEW_MS)) {
    throw new VerificationError('NL-313', 'expired, or lasts too long');
  }
  if (known === null) return verified;
  if (user !== known.user || !equal(accountKey, known.accountKey)) {
    throw new VerificationError('NL-314', 'another account key than before');
  }
  await checkFollows(verified, known);
  return verified;
}

/** `later` is `known`, or comes after it, under whatever account key. Throws `VerificationError` NL-315, NL-316. */
export async function checkFollows(later: DeviceList, known: DeviceList): Promise<void> {
  if (later.version < known.version) throw new VerificationError('NL-315', 'older than the list we know');
  if (later.version === known.version && !equal(encodeDeviceList(later), encodeDeviceList(known))) {
    throw new VerificationError('NL-316', 'two lists of one version');
  }
  if (later.version === known.version + 1n && !equal(later.previous, await deviceListDigest(known))) {
    throw new VerificationError('NL-316', 'does not follow the list we know');
  }
}

function readDeviceList(content: Bytes): ListContent {
  const reader = new Reader(content);
  const version = reader.u64();
  const previous = reader.take(NO_PREVIOUS.length);
  const expiresAtMs = reader.u64();
  const recoveryKey = reader.vector();
  const entries = new Reader(reader.vector());
  reader.finish();
  if (recoveryKey.length !== 0 && recoveryKey.length !== PUBLIC_KEY_BYTES) {
    throw new RemoteProtocolError('NL-303', 'a key that is not 32 bytes');
  }
  const devices: Device[] = [];
  while (!entries.atEnd && devices.length <= MAX_DEVICES) {
    const uri = parseDeviceUri(entries.text());
    devices.push({ uri, signatureKey: readKey(entries), maySign: readFlag(entries) });
  }
  const ascending = devices.slice(1).every((device, before) => (devices[before]?.uri ?? '') < device.uri);
  const keys = new Set(devices.map((device) => device.signatureKey.toString()));
  if (devices.length < 1 || devices.length > MAX_DEVICES || !ascending || keys.size !== devices.length) {
    throw new RemoteProtocolError('NL-302', 'devices that are none, too many, out of order or double');
  }
  if (version === 0n || (version === 1n) !== equal(previous, NO_PREVIOUS)) {
    throw new RemoteProtocolError('NL-302', 'a version that does not go with the previous list');
  }
  return { version, previous, expiresAtMs, recoveryKey, devices };
}

function readFlag(reader: Reader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new RemoteProtocolError('NL-304', 'neither yes nor no');
  return flag === 1;
}

function readKey(reader: Reader): Bytes {
  const key = reader.vector();
  if (key.length !== PUBLIC_KEY_BYTES) throw new RemoteProtocolError('NL-303', 'a key that is not 32 bytes');
  return key;
}

function checkSignatureLength(signature: Bytes): void {
  if (signature.length !== SIGNATURE_BYTES) {
    throw new RemoteProtocolError('NL-301', 'a signature that is not 64 bytes');
  }
}

// --- leaf -----------------------------------------------------------------------------------------------------------

/** The identity in a leaf's basic credential, as it came. `signature` is by the account key, 64 bytes. */
export interface LeafCredential {
  readonly device: DeviceUri;
  readonly accountKey: Bytes;
  readonly listVersion: bigint;
  readonly signature: Bytes;
}

/**
 * A verified leaf: this device of this user, vouched for by this account key. `listed`: it is on the newest device list;
 * otherwise it was on an older one, and has to leave its groups.
 */
export interface Leaf {
  readonly user: UserUri;
  readonly device: DeviceUri;
  readonly accountKey: Bytes;
  readonly listed: boolean;
}

/** `V(device URI) ‖ V(account key) ‖ u64 list_version ‖ V(signature)`. */
export function encodeLeafCredential(leaf: LeafCredential): Bytes {
  return concat(
    writeVector(utf8(leaf.device)),
    writeVector(leaf.accountKey),
    u64(leaf.listVersion),
    writeVector(leaf.signature),
  );
}

/** The credential's fields. Throws `RemoteProtocolError` NL-101 to NL-104, NL-002, NL-301, NL-303. */
export function decodeLeafCredential(data: Uint8Array): LeafCredential {
  const reader = new Reader(data);
  const device = parseDeviceUri(reader.text());
  const accountKey = readKey(reader);
  const leaf = { device, accountKey, listVersion: reader.u64(), signature: reader.vector() };
  reader.finish();
  checkSignatureLength(leaf.signature);
  return leaf;
}

/** What `LEAF_LABEL` signs: `V(user URI) ‖ V(device URI) ‖ V(signature key) ‖ u64 list_version`. */
export function leafContent(device: DeviceUri, signatureKey: Bytes, listVersion: bigint): Bytes {
  return concat(
    writeVector(utf8(userOf(device))),
    writeVector(utf8(device)),
    writeVector(signatureKey),
    u64(listVersion),
  );
}

/** The credential of `device`, which is on the list; `sign` is the account key's. */
export async function leafCredential(list: DeviceList, device: DeviceUri, sign: Sign): Promise<LeafCredential> {
  const entry = list.devices.find(({ uri }) => uri === device);
  if (entry === undefined) throw new LocalProtocolError('a device that is not on the list');
  const signature = await sign(LEAF_LABEL, leafContent(device, entry.signatureKey, list.version));
  return { device, accountKey: list.accountKey, listVersion: list.version, signature };
}

/**
 * The leaf with this credential and signature key is, or was, a device of the user of `list`.
 *
 * Throws `RemoteProtocolError` as `decodeLeafCredential`; `VerificationError`: NL-321 an account key that is not the
 * list's nor one that it replaced, NL-322 signed under a newer list than this one (fetch that), NL-323 signed under this
 * very list and not on it with this key, NL-324 signature.
 */
export async function verifyLeaf(credential: Uint8Array, signatureKey: Bytes, list: DeviceList): Promise<Leaf> {
  const leaf = decodeLeafCredential(credential);
  if (![list.accountKey, ...list.formerKeys].some((key) => equal(leaf.accountKey, key))) {
    throw new VerificationError('NL-321', 'a leaf under another account key');
  }
  if (leaf.listVersion > list.version) throw new VerificationError('NL-322', 'a leaf under a newer device list');
  const listed = list.devices.some((entry) => entry.uri === leaf.device && equal(entry.signatureKey, signatureKey));
  if (!listed && leaf.listVersion === list.version) {
    throw new VerificationError('NL-323', 'a leaf that is not on the device list');
  }
  const signed = leafContent(leaf.device, signatureKey, leaf.listVersion);
  await verifyWithLabel(leaf.accountKey, LEAF_LABEL, signed, leaf.signature, 'NL-324');
  return { user: list.user, device: leaf.device, accountKey: leaf.accountKey, listed };
}

// --- session --------------------------------------------------------------------------------------------------------

/** What `SESSION_LABEL` signs: `V(origin) ‖ V(device URI) ‖ V(nonce) ‖ u64 expires_at_ms`. */
export function sessionContent(origin: string, device: DeviceUri, nonce: Bytes, expiresAtMs: TimestampMs): Bytes {
  return concat(writeVector(utf8(origin)), writeVector(utf8(device)), writeVector(nonce), u64(expiresAtMs));
}
