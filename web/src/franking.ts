/**
 * Franking: what lets a person prove to the hub which message they got, while the hub sees no content.
 *
 * The sender's tag commits to the content, the hub's MAC binds the tag to sender, room and time, and the hub's signature
 * lets every receiver check the latter two before anything is shown.
 *
 * Source: draft-ietf-mimi-protocol-06, "Franking"; draft-ietf-mls-extensions, "Safe AAD"; `docs/protocol.md`, Franking.
 */

import { type Bytes, concat, equal, Reader, u16, u64, utf8, writeVector } from './codec.ts';
import * as content from './content.ts';
import type { MimiContent } from './content.ts';
import { RemoteProtocolError, VerificationError } from './errors.ts';
import { type HubUri, type RoomUri, type TimestampMs, type UserUri, parseHubUri } from './ids.ts';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verifyWithLabel } from './signature.ts';

export const FRANKING_LABEL = 'FrankingIntegrityTBS';
/** MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519. */
export const CIPHERSUITE = 1;
export const TAG_BYTES = 32;
const MAC_BYTES = 32;
const BASIC_CREDENTIAL = 1;
/** A SafeAAD of 35 bytes: component 0x0020, and the length of what it holds. */
const AAD_PREFIX = new Uint8Array([2 + 1 + TAG_BYTES, 0x00, 0x20, TAG_BYTES]);
const HMAC = { name: 'HMAC', hash: 'SHA-256' } as const;

// --- the hub's statement --------------------------------------------------------------------------------------------

/** The hub's statement about one message: MAC (32 bytes), ciphersuite, Ed25519 signature (64 bytes). */
export interface Frank {
  readonly mac: Bytes;
  readonly suite: number;
  readonly signature: Bytes;
}

/** `mac ‖ u16 suite ‖ V(signature)`: 100 bytes. */
export function encodeFrank(frank: Frank): Bytes {
  return concat(frank.mac, u16(frank.suite), writeVector(frank.signature));
}

/** A frank of the only suite there is. Throws `RemoteProtocolError` NL-101 to NL-103, NL-141. */
export function decodeFrank(data: Uint8Array): Frank {
  const reader = new Reader(data);
  const frank = { mac: reader.take(MAC_BYTES), suite: reader.u16(), signature: reader.vector() };
  reader.finish();
  if (frank.suite !== CIPHERSUITE || frank.signature.length !== SIGNATURE_BYTES) {
    throw new RemoteProtocolError('NL-141', 'a frank of another suite');
  }
  return frank;
}

/** Who franks in a room: the GroupContext's component 0x0021. `key`: Ed25519 public key, 32 bytes. */
export interface FrankingAgent {
  readonly key: Bytes;
  readonly hub: HubUri;
}

/** `V(key) ‖ u16 1 ‖ V(hub URI)`. */
export function encodeFrankingAgent(agent: FrankingAgent): Bytes {
  return concat(writeVector(agent.key), u16(BASIC_CREDENTIAL), writeVector(utf8(agent.hub)));
}

/** The agent that `data` names. Throws `RemoteProtocolError` NL-004, NL-101 to NL-104, NL-142. */
export function decodeFrankingAgent(data: Uint8Array): FrankingAgent {
  const reader = new Reader(data);
  const key = reader.vector();
  const credentialType = reader.u16();
  const hub = reader.text();
  reader.finish();
  if (key.length !== PUBLIC_KEY_BYTES || credentialType !== BASIC_CREDENTIAL) {
    throw new RemoteProtocolError('NL-142', 'not a franking agent with an Ed25519 key and a basic credential');
  }
  return { key, hub: parseHubUri(hub) };
}

/** What the hub states about a message: `V(sender) ‖ V(room) ‖ u64 accepted_at_ms`. */
export function context(sender: UserUri, room: RoomUri, acceptedAtMs: TimestampMs): Bytes {
  return concat(writeVector(utf8(sender)), writeVector(utf8(room)), u64(acceptedAtMs));
}

/** What the hub signs under `FRANKING_LABEL`: `mac ‖ u16 suite ‖ ctx`. */
export function signatureContent(mac: Bytes, suite: number, ctx: Bytes): Bytes {
  return concat(mac, u16(suite), ctx);
}

/** The holder of `frankingKey` stated `ctx`. Throws `VerificationError` NL-143. */
export async function verifyFrank(frank: Frank, frankingKey: Bytes, ctx: Bytes): Promise<void> {
  const signed = signatureContent(frank.mac, frank.suite, ctx);
  await verifyWithLabel(frankingKey, FRANKING_LABEL, signed, frank.signature, 'NL-143');
}

// --- the sender's tag -----------------------------------------------------------------------------------------------

/** 32 bytes that commit to `applicationData`, encoded content. Throws `RemoteProtocolError` NL-120. */
export async function frankingTag(applicationData: Bytes): Promise<Bytes> {
  const key = await crypto.subtle.importKey('raw', content.saltOf(applicationData), HMAC, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, applicationData));
}

/** The authenticated data of a message: `SafeAAD` with the one item 0x0020, 36 bytes. */
export function safeAad(tag: Bytes): Bytes {
  return concat(AAD_PREFIX, tag);
}

/** The tag in a message's authenticated data, 32 bytes. Throws `RemoteProtocolError` NL-140. */
export function readSafeAad(authenticatedData: Uint8Array): Bytes {
  const prefix = authenticatedData.subarray(0, AAD_PREFIX.length);
  if (authenticatedData.length !== AAD_PREFIX.length + TAG_BYTES || !equal(prefix, AAD_PREFIX)) {
    throw new RemoteProtocolError('NL-140', 'not exactly one franking tag of 32 bytes');
  }
  return new Uint8Array(authenticatedData.subarray(AAD_PREFIX.length));
}

// --- a message ------------------------------------------------------------------------------------------------------

/**
 * A decrypted message as it came: nothing in it is believed yet.
 *
 * `tag` is from the authenticated data, `sender` from the leaf that signed, `room` from the group.
 */
export interface FrankedMessage {
  readonly applicationData: Bytes;
  readonly tag: Bytes;
  readonly frank: Bytes;
  readonly sender: UserUri;
  readonly room: RoomUri;
  readonly acceptedAtMs: TimestampMs;
}

/**
 * The content, now that tag, frank, sender and room agree.
 *
 * Throws `RemoteProtocolError` for malformed content or frank; `VerificationError` NL-143 (the hub's statement), NL-144
 * (the tag), NL-145 (the sender), NL-146 (the room).
 */
export async function verifyFrankedMessage(message: FrankedMessage, frankingKey: Bytes): Promise<MimiContent> {
  if (!equal(await frankingTag(message.applicationData), message.tag)) {
    throw new VerificationError('NL-144', 'the tag is not of this content');
  }
  const ctx = context(message.sender, message.room, message.acceptedAtMs);
  await verifyFrank(decodeFrank(message.frank), frankingKey, ctx);
  const said = content.decode(message.applicationData);
  if (content.senderOf(said) !== message.sender) {
    throw new VerificationError('NL-145', 'the content names another sender');
  }
  if (content.roomOf(said) !== message.room) throw new VerificationError('NL-146', 'the content names another room');
  return said;
}
