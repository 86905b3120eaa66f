/** What a person says, as content: messages, replies, edits, deletions, reactions, and what is forwarded. */

import { type Attachment, attachmentBody } from '../attachment.ts';
import { type Bytes, utf8 } from '../codec.ts';
import * as content from '../content.ts';
import { isReaction, LONGEST_LIFE_S, MAX_FORWARDED, SHORTEST_LIFE_S } from '../conversation.ts';
import { RefusedError } from '../errors.ts';
import { fromHex } from '../hex.ts';
import type { MessageId, RoomUri, UserUri } from '../ids.ts';
import { isProfile, type RoomProfile } from '../profile.ts';
import { decodeRoles, may } from '../roles.ts';
import { MAX_CONTENT_BYTES, MAX_TEXT_BYTES, ROOMS_AT_ONCE } from './api.ts';
import type { Message, MessageKey } from './events.ts';
import { isOpen, type RoomRecord } from './records.ts';
import type { Store } from './store.ts';

/** To one message, those taken back included: half of what a receiver takes, for this person's other devices. */
const MAX_REACTIONS_SENT = 128;

/** How a text is said. `lifetimeS`: for this one, instead of the room's. */
export interface Manner {
  readonly replyTo?: MessageKey | null;
  readonly lifetimeS?: number | null;
  readonly forwarded?: number;
}

/**
 * Says things in the name of `user`; the same `salt`, 16 random bytes, says the same thing once.
 *
 * Everything here throws `RefusedError`; `not_found`: the room is not open, or the message is not shown.
 */
export class Author {
  readonly #user: UserUri;
  readonly #store: Store;

  constructor(user: UserUri, store: Store) {
    this.#user = user;
    this.#store = store;
  }

  /** `text`; with `attachments`, it is their caption, and may be empty. Throws `too_large` (more than 32,000 bytes), `malformed` (not a lifetime). */
  async text(
    room: RoomUri,
    text: string,
    manner: Manner,
    salt: Bytes,
    attachments: readonly Attachment[] = [],
  ): Promise<content.MimiContent> {
    const { members, lifetimeS: usual } = this.#open(room);
    const { replyTo = null, forwarded = 0 } = manner;
    if (replyTo !== null && (await this.#shown(replyTo)).room !== room) throw new RefusedError('not_found');
    const seconds = checkLifetime(manner.lifetimeS ?? usual);
    const message = content.textMessage(salt, this.#user, room, ofSize(text), members, {
      inReplyTo: replyTo === null ? null : idOf(replyTo),
      expires: seconds === null ? null : { relative: true, seconds },
      forwarded,
    });
    if (attachments.length === 0) return checked(message);
    return checked({ ...message, body: attachmentBody(attachments, text === '' ? null : message.body) });
  }

  /** The name and picture of `room`. Throws `not_allowed`, `malformed` (not one line, not a picture). */
  profile(room: RoomUri, profile: RoomProfile, salt: Bytes): content.MimiContent {
    if (!may(decodeRoles(this.#open(room).roles), this.#user, 'canChangeRoomName'))
      throw new RefusedError('not_allowed');
    if (!isProfile(profile)) throw new RefusedError('malformed');
    return checked(content.profileMessage(salt, this.#user, room, profile));
  }

  /** The person's own message says `text` instead. Throws `not_allowed` for somebody else's; `too_large`. */
  async edit(messageId: MessageKey, text: string, salt: Bytes): Promise<content.MimiContent> {
    const { room, replyTo } = own(await this.#shown(messageId));
    const { members } = this.#open(room);
    const ways = { inReplyTo: replyTo === null ? null : idOf(replyTo), replaces: idOf(messageId) };
    return checked(content.textMessage(salt, this.#user, room, ofSize(text), members, ways));
  }

  /** The person's own message is deleted for everyone; null if it was. Throws `not_allowed` for somebody else's. */
  async deletion(messageId: MessageKey, salt: Bytes): Promise<content.MimiContent | null> {
    const message = own(await this.#store.timeline.message(messageId));
    if (message.deleted) return null;
    const { room } = await this.#shown(messageId);
    this.#open(room);
    return content.deletion(salt, this.#user, room, idOf(messageId));
  }

  /** `text`, an emoji as a rule, stands by the message; null if it does already. Throws `malformed`, `too_many`. */
  async reaction(messageId: MessageKey, text: string, salt: Bytes): Promise<content.MimiContent | null> {
    if (!isReaction(text)) throw new RefusedError('malformed');
    const message = await this.#shown(messageId);
    this.#open(message.room);
    if (this.#stands(message, text)) return null;
    const sent = await this.#store.timeline.before(message.room).reactions(messageId, this.#user);
    if (sent >= MAX_REACTIONS_SENT) throw new RefusedError('too_many');
    return content.reaction(salt, this.#user, message.room, idOf(messageId), text);
  }

  /** `text` does not stand by the message any more; null if it did not. */
  async reactionTakenBack(messageId: MessageKey, text: string, salt: Bytes): Promise<content.MimiContent | null> {
    const message = await this.#shown(messageId);
    this.#open(message.room);
    const reacted = await this.#store.timeline.reactionOf(this.#user, messageId, text);
    if (reacted === null || !this.#stands(message, text)) return null;
    return content.reactionTakenBack(salt, this.#user, message.room, idOf(messageId), idOf(reacted));
  }

  /** What the message says now, for each of `rooms`, counted once more. Throws `too_many` for more than five rooms. */
  async forward(
    messageId: MessageKey,
    rooms: readonly RoomUri[],
    salts: readonly Bytes[],
  ): Promise<content.MimiContent[]> {
    if (rooms.length > ROOMS_AT_ONCE) throw new RefusedError('too_many');
    const message = await this.#shown(messageId);
    const forwarded = Math.min(message.forwarded + 1, MAX_FORWARDED);
    const each = Array.from(new Map(rooms.map((room, at) => [room, salts[at] ?? new Uint8Array()])));
    const attachments = await this.#store.timeline.attachments(messageId);
    return Promise.all(each.map(([room, salt]) => this.text(room, message.text, { forwarded }, salt, attachments)));
  }

  // --- what must hold

  #open(room: RoomUri): RoomRecord {
    const record = this.#store.rooms.get(room);
    if (record === null || !isOpen(record)) throw new RefusedError('not_found');
    return record;
  }

  async #shown(messageId: MessageKey): Promise<Message> {
    const message = await this.#store.timeline.message(messageId);
    if (message === null || message.deleted || message.state === 'failed') throw new RefusedError('not_found');
    return message;
  }

  #stands({ reactions }: Message, text: string): boolean {
    return reactions.some((reaction) => reaction.text === text && reaction.users.includes(this.#user));
  }
}

/** `seconds`, which is a lifetime that receivers keep to, or null. Throws `RefusedError` `malformed`. */
export function checkLifetime(seconds: number | null): number | null {
  if (seconds === null) return null;
  if (!Number.isInteger(seconds) || seconds < SHORTEST_LIFE_S || seconds > LONGEST_LIFE_S) {
    throw new RefusedError('malformed');
  }
  return seconds;
}

function own(message: Message | null): Message {
  if (message === null) throw new RefusedError('not_found');
  if (!message.own) throw new RefusedError('not_allowed');
  return message;
}

function ofSize(text: string): string {
  if (utf8(text).length > MAX_TEXT_BYTES) throw new RefusedError('too_large');
  return text;
}

function checked(message: content.MimiContent): content.MimiContent {
  if (content.encode(message).length > MAX_CONTENT_BYTES) throw new RefusedError('too_large');
  return message;
}

function idOf(messageId: MessageKey): MessageId {
  return fromHex(messageId) as MessageId;
}
