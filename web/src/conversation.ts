/**
 * What messages of a room mean to each other: replies, edits, deletions, reactions, forwarding, expiry.
 *
 * A message means what it means at its place in the room's log: only what stands before it counts. So every device that
 * has the same log shows the same, whatever it knew first. The rules are in `docs/protocol.md`, Conversations.
 */

import { type Attachment, readAttachments } from './attachment.ts';
import { utf8 } from './codec.ts';
import { type Expiry, FORWARDED_EXTENSION, type MimiContent, senderOf, wordsOf } from './content.ts';
import { RemoteProtocolError, VerificationError } from './errors.ts';
import { toHex } from './hex.ts';
import type { MessageId, MessageKey, TimestampMs, UserUri } from './ids.ts';
import { Disposition, type Part, PartSemantics } from './part.ts';
import type { Words } from './words.ts';

export const MAX_REACTION_BYTES = 64;
/** Of one user to one message: as many stand. */
export const MAX_REACTIONS = 16;
/** In which one user reacts to one message, reactions taken back included. */
export const MAX_REACTION_MESSAGES = 256;
export const MAX_FORWARDED = 65_535;
export const SHORTEST_LIFE_S = 5;
export const LONGEST_LIFE_S = 366 * 86_400;

const SPACE = 0x20;
const DELETE = 0x7f;

/**
 * What a message does.
 *
 * `reaction`: it sets reactions, takes them back, or both. `nothing`: what it is about is not here, or it says nothing
 * that we can show.
 */
export type Kind = 'message' | 'edit' | 'deletion' | 'reaction' | 'nothing';

/** What one message says. */
export interface Said {
  readonly kind: Kind;
  /** What an edit, a deletion or a reaction is about, as it was first sent. */
  readonly target: MessageKey | null;
  readonly words: Words | null;
  /** The message answered, as it was first sent; if it is not here, as the reply names it. */
  readonly replyTo: MessageKey | null;
  /** How often, as its sender says. */
  readonly forwarded: number;
  readonly expires: Expiry | null;
  /** Reactions, each once. */
  readonly sets: readonly string[];
  /** Reactions taken back, before `sets`. */
  readonly unsets: readonly string[];
  readonly attachments: readonly Attachment[];
}

export const NOTHING: Said = {
  kind: 'nothing',
  target: null,
  words: null,
  replyTo: null,
  forwarded: 0,
  expires: null,
  sets: [],
  unsets: [],
  attachments: [],
};

/** A message that stands in the room already, as far as later ones need to know it. */
export interface Earlier {
  readonly sender: UserUri;
  readonly kind: Kind;
  readonly target: MessageKey | null;
  readonly sets: readonly string[];
}

/** What stands in the room before a message. */
export interface Before {
  /** The message, if it is in this room and stands before. */
  find(messageId: MessageKey): Promise<Earlier | null>;
  /** In how many messages `sender` has reacted to `target`. */
  reactions(target: MessageKey, sender: UserUri): Promise<number>;
}

/**
 * What `message`, verified, says where `before` is what stands before it.
 *
 * Throws `RemoteProtocolError` NL-130, NL-133, NL-150 to NL-153; `VerificationError` NL-131, NL-132.
 */
export async function read(message: MimiContent, before: Before): Promise<Said> {
  if (message.body.disposition === Disposition.profile && message.body.kind !== 'null') {
    return NOTHING; // it shows around the conversation, not in it
  }
  if (message.replaces !== null) return replacement(message, keyOf(message.replaces), before);
  if (message.body.disposition === Disposition.reaction) return reaction(message, before);
  const attachments = readAttachments(message.body);
  const words = wordsOf(message.body) ?? (attachments.length > 0 ? { text: '', mentions: [] } : null);
  if (words === null) return NOTHING;
  const answered = message.inReplyTo && keyOf(message.inReplyTo);
  return {
    ...NOTHING,
    kind: 'message',
    words,
    replyTo: answered && ((await root(answered, before)) ?? answered),
    forwarded: forwardedOf(message),
    expires: message.expires,
    attachments,
  };
}

/** An edit of an edit is an edit of the message; so is a deletion. */
async function replacement(message: MimiContent, replaced: MessageKey, before: Before): Promise<Said> {
  const earlier = await before.find(replaced);
  if (earlier === null) return NOTHING;
  const sender = senderOf(message);
  if (earlier.sender !== sender) throw new VerificationError('NL-131', "a replacement of somebody else's message");
  const { body } = message;
  const asReaction = body.disposition === Disposition.reaction && body.kind !== 'null';
  if (earlier.kind === 'reaction' && earlier.target !== null) {
    const sets = asReaction ? reactionsIn(body) : [];
    await checkReactions(earlier.target, sender, before);
    return { ...NOTHING, kind: 'reaction', target: earlier.target, sets, unsets: earlier.sets };
  }
  const target = await root(replaced, before);
  if (target === null || asReaction) return NOTHING;
  if (body.kind === 'null') return { ...NOTHING, kind: 'deletion', target };
  const words = wordsOf(body);
  return words === null ? NOTHING : { ...NOTHING, kind: 'edit', target, words };
}

/** The message that `named` is, or is an edit of; null if it is neither, or not here. */
async function root(named: MessageKey, before: Before): Promise<MessageKey | null> {
  const earlier = await before.find(named);
  if (earlier?.kind === 'message') return named;
  return earlier?.kind === 'edit' || earlier?.kind === 'deletion' ? earlier.target : null;
}

async function reaction(message: MimiContent, before: Before): Promise<Said> {
  const sets = reactionsIn(message.body);
  const target = message.inReplyTo && (await root(keyOf(message.inReplyTo), before));
  if (target === null || sets.length === 0) return NOTHING;
  await checkReactions(target, senderOf(message), before);
  return { ...NOTHING, kind: 'reaction', target, sets };
}

async function checkReactions(target: MessageKey, sender: UserUri, before: Before): Promise<void> {
  if ((await before.reactions(target, sender)) >= MAX_REACTION_MESSAGES) {
    throw new VerificationError('NL-132', 'more reactions to one message than one user may send');
  }
}

/** The reactions in `body`, each once; none if it has no text. Throws `RemoteProtocolError` NL-130. */
function reactionsIn(body: Part): string[] {
  const parts = body.kind === 'multi' && body.semantics === PartSemantics.processAll ? body.parts : [body];
  const said = parts.map((part) => wordsOf(part)?.text).filter((text) => text !== undefined);
  if (said.length > MAX_REACTIONS || !said.every(isReaction)) {
    throw new RemoteProtocolError('NL-130', 'a reaction that is not 1 to 64 bytes without spaces');
  }
  return Array.from(new Set(said));
}

/** Whether `text` can be a reaction: 1 to 64 bytes of UTF-8, no ASCII space or control character. */
export function isReaction(text: string): boolean {
  const data = utf8(text);
  return 1 <= data.length && data.length <= MAX_REACTION_BYTES && data.every((byte) => byte > SPACE && byte !== DELETE);
}

function forwardedOf({ extensions }: MimiContent): number {
  const count = extensions.get(FORWARDED_EXTENSION);
  if (count === undefined) return 0;
  if (typeof count === 'number' && 1 <= count && count <= MAX_FORWARDED) return count;
  throw new RemoteProtocolError('NL-133', 'a count of forwarding that is not 1 to 65,535');
}

function keyOf(messageId: MessageId): MessageKey {
  return toHex(messageId);
}

// --- what is shown --------------------------------------------------------------------------------------------------

/** One reaction to a message, and the users of whom it stands, the first first. */
export interface Reaction {
  readonly text: string;
  readonly users: readonly UserUri[];
}

/** An edit, a deletion or a reaction, by whom it was sent. */
export interface Change {
  readonly sender: UserUri;
  readonly said: Said;
}

/** What a message shows after all that was said about it. */
export interface Shown {
  readonly words: Words;
  readonly edited: boolean;
  readonly deleted: boolean;
  readonly reactions: readonly Reaction[];
}

/** A message of `words` as `changes`, in the order of the log, leave it. A deletion is for good. */
export function show(words: Words, changes: Iterable<Change>): Shown {
  let shown = words;
  let edited = false;
  const standing = new Map<string, Set<UserUri>>();
  for (const { sender, said } of changes) {
    if (said.kind === 'deletion') {
      return { words: { text: '', mentions: [] }, edited: false, deleted: true, reactions: [] };
    }
    if (said.kind === 'edit' && said.words !== null) {
      shown = said.words;
      edited = true;
    } else if (said.kind === 'reaction') react(standing, sender, said);
  }
  const reactions = Array.from(standing, ([text, users]) => ({ text, users: Array.from(users) }));
  return { words: shown, edited, deleted: false, reactions };
}

function react(standing: Map<string, Set<UserUri>>, user: UserUri, said: Said): void {
  for (const text of said.unsets) {
    const users = standing.get(text);
    users?.delete(user);
    if (users?.size === 0) standing.delete(text);
  }
  for (const text of said.sets) {
    const theirs = Array.from(standing.values()).filter((users) => users.has(user));
    if (theirs.length >= MAX_REACTIONS) continue;
    const users = standing.get(text) ?? new Set();
    standing.set(text, users.add(user));
  }
}

// --- how long -------------------------------------------------------------------------------------------------------

/** Seconds for which a message stays once it is read, from 5 to a year; null if it says a time instead. */
export function lifetimeS(expires: Expiry): number | null {
  return expires.relative ? Math.min(Math.max(expires.seconds, SHORTEST_LIFE_S), LONGEST_LIFE_S) : null;
}

/** When a message goes, from 5 seconds to a year after the hub took it; null if it is so long after being read. */
export function endMs(expires: Expiry, acceptedAtMs: TimestampMs): TimestampMs | null {
  if (expires.relative) return null;
  const earliest = acceptedAtMs + SHORTEST_LIFE_S * 1000;
  const latest = acceptedAtMs + LONGEST_LIFE_S * 1000;
  return Math.min(Math.max(expires.seconds * 1000, earliest), latest) as TimestampMs;
}
