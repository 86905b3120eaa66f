/**
 * How an old device takes a new one in: the code that the new one shows, and what the old one hands over.
 *
 * The new device shows a `LinkCode`: keys that it has just made, and a secret. Only who has seen the code can leave a
 * package that opens under it, and only the new device can open one; the server, between them, learns neither.
 *
 * Source: `docs/protocol.md`, Linking.
 */

import { type Bytes, concat, Reader, u64, utf8, writeVector } from './codec.ts';
import { decodeSignedDeviceList, type DeviceList, type Leaf, verifyDeviceList, verifyLeaf } from './credential.ts';
import { RemoteProtocolError, VerificationError } from './errors.ts';
import { type DeviceUri, deviceUri, parseUserUri, type TimestampMs, type UserUri, userOf } from './ids.ts';
import { PUBLIC_KEY_BYTES } from './signature.ts';

export const CODE_LIFETIME_MS = 10 * 60_000;
export const SECRET_BYTES = 16;
const PREFIX = 'nightlight-link:';
/** How far the clocks of a person's own two devices may be apart. */
const CLOCK_SKEW_MS = 300_000n;
const SEED_BYTES = 32;
const VERSION = 1;
const NUMBER_ITERATIONS = 5_200;
const GROUPS = 3;
const GROUP_BYTES = 5;

/**
 * What a new device shows, for one use. Keys have 32 bytes, `secret` 16.
 *
 * `sealingKey`: X25519, for HPKE. `signatureKey` and `sessionKey`: the new device's, Ed25519. `name`: the last part of the
 * URI that it will have.
 */
export interface LinkCode {
  readonly sealingKey: Bytes;
  readonly secret: Bytes;
  readonly name: string;
  readonly signatureKey: Bytes;
  readonly sessionKey: Bytes;
  readonly expiresAtMs: bigint;
}

/** `u8 1 ‖ sealing key ‖ secret ‖ V(name) ‖ signature key ‖ session key ‖ u64 expires_at_ms`. */
export function encodeLinkCode(code: LinkCode): Bytes {
  const front = concat(Uint8Array.of(VERSION), code.sealingKey, code.secret, writeVector(utf8(code.name)));
  return concat(front, code.signatureKey, code.sessionKey, u64(code.expiresAtMs));
}

/** The code as it is shown and pasted: `nightlight-link:` and base64url without padding. */
export function linkText(code: LinkCode): string {
  const base64 = btoa(Array.from(encodeLinkCode(code), (byte) => String.fromCharCode(byte)).join(''));
  return PREFIX + base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The code in `text`. Throws `RemoteProtocolError` NL-351; NL-002 for a name that no device may have. */
export function readLinkCode(text: string): LinkCode {
  const code = decode(text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text);
  if (code === null || linkText(code) !== text) throw new RemoteProtocolError('NL-351', 'not a link code');
  deviceUri('mimi://a.example/u/a' as UserUri, code.name);
  return code;
}

function decode(base64: string): LinkCode | null {
  try {
    const binary = atob(base64.replaceAll('-', '+').replaceAll('_', '/'));
    const reader = new Reader(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
    if (reader.u8() !== VERSION) return null;
    const code = {
      sealingKey: reader.take(PUBLIC_KEY_BYTES),
      secret: reader.take(SECRET_BYTES),
      name: reader.text(),
      signatureKey: reader.take(PUBLIC_KEY_BYTES),
      sessionKey: reader.take(PUBLIC_KEY_BYTES),
      expiresAtMs: reader.u64(),
    };
    reader.finish();
    return code;
  } catch (error) {
    if (error instanceof RemoteProtocolError || error instanceof DOMException) return null;
    throw error;
  }
}

/** The code has not expired. Throws `VerificationError` NL-352. */
export function checkLinkTime(code: LinkCode, nowMs: TimestampMs): void {
  if (BigInt(nowMs) >= code.expiresAtMs + CLOCK_SKEW_MS) {
    throw new VerificationError('NL-352', 'a link code that has expired');
  }
}

/** Where the package is left: 32 bytes that nobody guesses and that say nothing of the code. */
export async function linkMailbox(code: LinkCode): Promise<Bytes> {
  return hash('SHA-256', concat(utf8('NLF1 link mailbox'), encodeLinkCode(code)));
}

/** 12 digits that both devices show; a code with the number of another costs 10¹² times 5,200 hashes. */
export async function linkNumber(code: LinkCode): Promise<string> {
  const encoded = encodeLinkCode(code);
  let digest: Bytes = concat(utf8('NLF1 link number'), encoded);
  for (let round = 0; round < NUMBER_ITERATIONS; round += 1) digest = await hash('SHA-512', concat(digest, encoded));
  return Array.from({ length: GROUPS }, (_, group) => {
    const chunk = digest.slice(group * GROUP_BYTES, (group + 1) * GROUP_BYTES);
    const number = chunk.reduce((value, byte) => value * 256 + byte, 0);
    return String(number % 10_000).padStart(4, '0');
  }).join('');
}

/** HPKE's `info` for the package: who seals it has seen the whole code, secret included. */
export function linkInfo(code: LinkCode): Bytes {
  return concat(utf8('NLF1 link package'), encodeLinkCode(code));
}

async function hash(algorithm: 'SHA-256' | 'SHA-512', data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest(algorithm, data));
}

/**
 * What the old device hands over, as it came: nothing in it is believed yet.
 *
 * `deviceList`: signed, naming the new device. `credential`: of the new device's leaves. `accountSeed`: of the account
 * key, 32 bytes, where the new device may sign lists too; empty otherwise. `historyKey`: 32 bytes under which history is
 * sealed, empty when there is none to come.
 */
export interface LinkPackage {
  readonly user: UserUri;
  readonly accountKey: Bytes;
  readonly deviceList: Bytes;
  readonly credential: Bytes;
  readonly accountSeed: Bytes;
  readonly historyKey: Bytes;
}

/** Six vectors, in this order. */
export function encodeLinkPackage(linked: LinkPackage): Bytes {
  const { user, accountKey, deviceList, credential, accountSeed, historyKey } = linked;
  return concat(
    ...[utf8(user), accountKey, deviceList, credential, accountSeed, historyKey].map((part) => writeVector(part)),
  );
}

/** The package's parts. Throws `RemoteProtocolError` NL-101 to NL-104, NL-001; NL-353 for their lengths. */
export function decodeLinkPackage(data: Uint8Array): LinkPackage {
  const reader = new Reader(data);
  const linked = {
    user: parseUserUri(reader.text()),
    accountKey: reader.vector(),
    deviceList: reader.vector(),
    credential: reader.vector(),
    accountSeed: reader.vector(),
    historyKey: reader.vector(),
  };
  reader.finish();
  const seeds = [linked.accountSeed, linked.historyKey];
  if (linked.accountKey.length !== PUBLIC_KEY_BYTES || !seeds.every((seed) => [0, SEED_BYTES].includes(seed.length))) {
    throw new RemoteProtocolError('NL-353', 'a key that is not 32 bytes');
  }
  return linked;
}

/**
 * The device list, which names `device` with this key, and its leaf.
 *
 * Throws as `verifyDeviceList` and `verifyLeaf`; `VerificationError` NL-354 when it is for another device or person.
 */
export async function verifyLinkPackage(
  linked: LinkPackage,
  device: DeviceUri,
  signatureKey: Bytes,
  nowMs: TimestampMs,
): Promise<{ list: DeviceList; leaf: Leaf }> {
  if (linked.user !== userOf(device)) throw new VerificationError('NL-354', 'a link to another person');
  const signed = decodeSignedDeviceList(linked.deviceList);
  const list = await verifyDeviceList(signed, linked.user, linked.accountKey, nowMs);
  const leaf = await verifyLeaf(linked.credential, signatureKey, list);
  if (leaf.device !== device || !leaf.listed) throw new VerificationError('NL-354', 'a link for another device');
  return { list, leaf };
}
