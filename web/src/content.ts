/**
 * MIMI content: what is inside an application message.
 *
 * Source: draft-ietf-mimi-content-08; draft-mahy-mimi-message-status-01. Our narrower rules are in `docs/protocol.md`,
 * Content.
 */

import * as cbor from './cbor.ts';
import type { Value } from './cbor.ts';
import { type Bytes, concat, readUtf8, u16, utf8 } from './codec.ts';
import { RemoteProtocolError } from './errors.ts';
import { type MessageId, type RoomUri, SALT_BYTES, type UserUri, parseRoomUri, parseUserUri } from './ids.ts';
import { Disposition, type Part, PartSemantics, partValue, readBody, TEXT_MARKDOWN, TEXT_PLAIN } from './part.ts';
import { profileBody, type RoomProfile } from './profile.ts';
import { fromMarkdown, toMarkdown, type Words } from './words.ts';

export const MESSAGE_ID_BYTES = 32;
export const MESSAGE_STATUS = 'application/mimi-message-status';

export const SENDER_EXTENSION = 1;
export const ROOM_EXTENSION = 2;
/** How often a message was forwarded, as its sender says. Ours: the standard has none. */
export const FORWARDED_EXTENSION = 'forwarded';

export const MAX_TOPIC_BYTES = 4096;
const MAX_EXTENSION_DEPTH = 4;
const MAX_EXTENSION_NAME_BYTES = 255;

const SHA_256 = 1;
/** CBOR: an array of seven, and the head of its first item, a byte string of sixteen. */
const SALT_PREFIX = [0x87, 0x50] as const;
const SALT_END = SALT_PREFIX.length + SALT_BYTES;

/** What a receiver says of a message in a status report. */
export const MessageStatus = { unread: 0, delivered: 1, read: 2, expired: 3, deleted: 4, hidden: 5, error: 6 } as const;
export type MessageStatus = (typeof MessageStatus)[keyof typeof MessageStatus];

/** When the message should vanish: `seconds` after it is read, or Unix seconds if not `relative`. */
export interface Expiry {
  readonly relative: boolean;
  readonly seconds: number;
}

/** Names or numbers to what they hold; always 1 (sender URI) and 2 (room URI). */
export type Extensions = ReadonlyMap<number | string, Value>;

/** One message. `salt` is 16 random bytes; `sender` and `room` are what its extensions 1 and 2 say. */
export interface MimiContent {
  readonly salt: Bytes;
  readonly replaces: MessageId | null;
  readonly topicId: Bytes;
  readonly expires: Expiry | null;
  readonly inReplyTo: MessageId | null;
  readonly extensions: Extensions;
  readonly body: Part;
}

/** The user who says they sent it. */
export function senderOf(content: MimiContent): UserUri {
  return content.extensions.get(SENDER_EXTENSION) as UserUri;
}

/** The room it says it was sent to. */
export function roomOf(content: MimiContent): RoomUri {
  return content.extensions.get(ROOM_EXTENSION) as RoomUri;
}

// --- bytes ----------------------------------------------------------------------------------------------------------

/** The one encoding of `content`. Throws `LocalProtocolError` for values that CBOR cannot hold. */
export function encode(content: MimiContent): Bytes {
  const { expires } = content;
  return cbor.encode([
    content.salt,
    content.replaces,
    content.topicId,
    expires && [expires.relative, expires.seconds],
    content.inReplyTo,
    content.extensions,
    partValue(content.body),
  ]);
}

/**
 * The content whose one encoding is `data`.
 *
 * Throws `RemoteProtocolError`: NL-110, NL-111 from CBOR; NL-001, NL-003 for its URIs; NL-120 to NL-128.
 */
export function decode(data: Uint8Array): MimiContent {
  const salt = saltOf(data);
  const [, replaces, topicId, expires, inReplyTo, extensions, body] = cbor.decode(data) as Seven;
  if (!(topicId instanceof Uint8Array) || topicId.length > MAX_TOPIC_BYTES) {
    throw new RemoteProtocolError('NL-121', 'a topic id that is not at most 4096 bytes');
  }
  return {
    salt,
    replaces: readMessageId(replaces),
    topicId,
    expires: readExpiry(expires),
    inReplyTo: readMessageId(inReplyTo),
    extensions: readExtensions(extensions),
    body: readBody(body),
  };
}

/** What `SALT_PREFIX` promises. */
type Seven = readonly [Value, Value, Value, Value, Value, Value, Value];

/** The 16 bytes of salt at the front of encoded content. Throws `RemoteProtocolError` NL-120. */
export function saltOf(data: Uint8Array): Bytes {
  if (data[0] !== SALT_PREFIX[0] || data[1] !== SALT_PREFIX[1] || data.length < SALT_END) {
    throw new RemoteProtocolError('NL-120', 'not an array of seven that starts with 16 bytes of salt');
  }
  return new Uint8Array(data.subarray(SALT_PREFIX.length, SALT_END));
}

/**
 * The id of the message whose encoded content is `data`. Throws `RemoteProtocolError` NL-120.
 *
 * Source: draft-ietf-mimi-content-08, "Message ID".
 */
export async function messageId(sender: UserUri, room: RoomUri, data: Uint8Array): Promise<MessageId> {
  const salt = saltOf(data);
  const senderBytes = utf8(sender);
  const roomBytes = utf8(room);
  const hashed = await crypto.subtle.digest(
    'SHA-256',
    concat(u16(senderBytes.length), senderBytes, u16(roomBytes.length), roomBytes, data, salt),
  );
  return concat(new Uint8Array([SHA_256]), new Uint8Array(hashed, 0, MESSAGE_ID_BYTES - 1)) as MessageId;
}

function readMessageId(value: Value): MessageId | null {
  if (value === null) return null;
  if (value instanceof Uint8Array && value.length === MESSAGE_ID_BYTES && value[0] === SHA_256) {
    return value as MessageId;
  }
  throw new RemoteProtocolError('NL-122', 'not a message id of SHA-256');
}

function readExpiry(value: Value): Expiry | null {
  if (value === null) return null;
  if (cbor.isArray(value) && value.length === 2) {
    const [relative, seconds] = value;
    if (typeof relative === 'boolean' && typeof seconds === 'number' && seconds >= 0 && seconds < 2 ** 32) {
      return { relative, seconds };
    }
  }
  throw new RemoteProtocolError('NL-123', 'not an expiry');
}

function readExtensions(value: Value): Extensions {
  if (!cbor.isMap(value)) throw new RemoteProtocolError('NL-124', 'the extensions are not a map');
  const sender = value.get(SENDER_EXTENSION);
  const room = value.get(ROOM_EXTENSION);
  if (typeof sender !== 'string' || typeof room !== 'string') {
    throw new RemoteProtocolError('NL-125', 'no sender URI or no room URI');
  }
  parseUserUri(sender);
  parseRoomUri(room);
  for (const key of value.keys()) {
    if (typeof key !== 'number' && !(typeof key === 'string' && isExtensionName(key))) {
      throw new RemoteProtocolError('NL-124', 'an extension whose key is neither a number nor a name');
    }
  }
  checkExtension(value, 1);
  return value as Extensions;
}

function isExtensionName(key: string): boolean {
  const { length } = utf8(key);
  return 1 <= length && length <= MAX_EXTENSION_NAME_BYTES;
}

/** Arrays and maps go no deeper than four, and numbers that are keys survive a double. */
function checkExtension(value: Value, depth: number): void {
  if (!cbor.isArray(value) && !cbor.isMap(value)) return;
  if (depth > MAX_EXTENSION_DEPTH) throw new RemoteProtocolError('NL-124', 'extensions nested too deeply');
  if (cbor.isMap(value) && [...value.keys()].some((key) => typeof key === 'bigint')) {
    throw new RemoteProtocolError('NL-124', 'a number that no double holds as a key');
  }
  for (const item of value.values()) checkExtension(item, depth + 1);
}

// --- messages -------------------------------------------------------------------------------------------------------

/** What a message may be beside what it says. */
export interface Ways {
  readonly inReplyTo?: MessageId | null;
  /** It is an edit of that message, or deletes it. */
  readonly replaces?: MessageId | null;
  readonly expires?: Expiry | null;
  /** How often; 0 for not. */
  readonly forwarded?: number;
}

/** A message with this body. `salt`: 16 fresh random bytes. */
function message(salt: Bytes, sender: UserUri, room: RoomUri, body: Part, ways: Ways = {}): MimiContent {
  const { inReplyTo = null, replaces = null, expires = null, forwarded = 0 } = ways;
  const extensions = new Map<number | string, Value>([
    [SENDER_EXTENSION, sender],
    [ROOM_EXTENSION, room],
  ]);
  if (forwarded > 0) extensions.set(FORWARDED_EXTENSION, forwarded);
  return { salt, replaces, topicId: new Uint8Array(), expires, inReplyTo, extensions, body };
}

function text(contentType: string, content: string, disposition: number = Disposition.render): Part {
  return { kind: 'single', contentType, content: utf8(content), disposition, language: '' };
}

/**
 * A message that says `said`, in which `@name@provider` mentions those of `mentions`. `salt`: 16 fresh random bytes.
 */
export function textMessage(
  salt: Bytes,
  sender: UserUri,
  room: RoomUri,
  said: string,
  mentions: readonly UserUri[] = [],
  ways: Ways = {},
): MimiContent {
  const markdown = toMarkdown(said, mentions);
  const body = markdown === null ? text(TEXT_PLAIN, said) : text(TEXT_MARKDOWN, markdown);
  return message(salt, sender, room, body, ways);
}

/** The message that gives `room` its profile. `salt`: 16 fresh random bytes. */
export function profileMessage(salt: Bytes, sender: UserUri, room: RoomUri, profile: RoomProfile): MimiContent {
  return message(salt, sender, room, profileBody(profile));
}

/** A message that deletes `deleted`, which `sender` sent. `salt`: 16 fresh random bytes. */
export function deletion(salt: Bytes, sender: UserUri, room: RoomUri, deleted: MessageId): MimiContent {
  const body: Part = { kind: 'null', disposition: Disposition.render, language: '' };
  return message(salt, sender, room, body, { replaces: deleted });
}

/** A message that reacts to `to` with `said`, an emoji as a rule. `salt`: 16 fresh random bytes. */
export function reaction(salt: Bytes, sender: UserUri, room: RoomUri, to: MessageId, said: string): MimiContent {
  return message(salt, sender, room, text(TEXT_PLAIN, said, Disposition.reaction), { inReplyTo: to });
}

/** A message that takes back `reacted`, a reaction to `to`. `salt`: 16 fresh random bytes. */
export function reactionTakenBack(
  salt: Bytes,
  sender: UserUri,
  room: RoomUri,
  to: MessageId,
  reacted: MessageId,
): MimiContent {
  const body: Part = { kind: 'null', disposition: Disposition.reaction, language: '' };
  return message(salt, sender, room, body, { inReplyTo: to, replaces: reacted });
}

/** What `part` says in text that we can show, or null; of parts to choose from, the first that we can show. */
export function wordsOf(part: Part): Words | null {
  if (part.kind === 'single') {
    const text = readUtf8(part.content);
    if (text === null) return null;
    if (part.contentType === TEXT_PLAIN) return { text, mentions: [] };
    return part.contentType === TEXT_MARKDOWN ? fromMarkdown(text) : null;
  }
  if (part.kind !== 'multi') return null;
  const found = part.parts.map(wordsOf).filter((words) => words !== null);
  if (found.length === 0) return null;
  const shown = part.semantics === PartSemantics.chooseOne ? found.slice(0, 1) : found;
  const mentions = new Set(shown.flatMap((words) => words.mentions));
  return { text: shown.map((words) => words.text).join('\n'), mentions: Array.from(mentions) };
}

/**
 * A message in which `sender` tells how messages of `room` fared; `salt`: 16 fresh random bytes.
 *
 * Source: draft-mahy-mimi-message-status-01.
 */
export function statusReport(
  salt: Bytes,
  sender: UserUri,
  room: RoomUri,
  statuses: readonly (readonly [MessageId, MessageStatus])[],
): MimiContent {
  return message(salt, sender, room, {
    kind: 'single',
    contentType: MESSAGE_STATUS,
    content: cbor.encode(statuses),
    disposition: Disposition.unspecified,
    language: '',
  });
}

/**
 * The statuses that `part` tells, or null if it is no status report. Unknown ones, up to 255, are left out.
 *
 * Throws `RemoteProtocolError` NL-110, NL-111, NL-122; NL-129 for another shape.
 */
export function readStatusReport(part: Part): readonly (readonly [MessageId, MessageStatus])[] | null {
  if (part.kind !== 'single' || part.contentType !== MESSAGE_STATUS) return null;
  const rows = cbor.decode(part.content);
  if (!cbor.isArray(rows)) throw new RemoteProtocolError('NL-129', 'not a status report');
  return rows.map(readStatus).filter((row): row is [MessageId, MessageStatus] => row[1] <= MessageStatus.error);
}

function readStatus(row: Value): [MessageId, number] {
  if (cbor.isArray(row) && row.length === 2) {
    const [value, status] = row;
    if (value instanceof Uint8Array && typeof status === 'number' && status >= 0 && status < 256) {
      const reported = readMessageId(value);
      if (reported !== null) return [reported, status];
    }
  }
  throw new RemoteProtocolError('NL-129', 'not a message id and a status');
}
