/**
 * What an application asks of its device: one device of one person, in this browser, at this origin.
 *
 * Network failures never lose anything: what is sent waits in the outbox. What asks the server throws `RefusedError` or
 * `UnavailableError`; what the server answers against the rules, `RemoteProtocolError` or `VerificationError`; the
 * browser's storage, `StoreError`. All but `me`, `register`, `connectionState`, `storage` and `startAnew` throw `RefusedError`
 * `unauthenticated` before somebody is registered.
 */

import type { Contact } from '../bodies.ts';
import type { Bytes } from '../codec.ts';
import type { DeviceUri, RoomUri, UserUri } from '../ids.ts';
import type { Manner } from './author.ts';
import type { ConnectionState, FaultSeen, Message, MessageKey, RoomSummary, StorageState } from './events.ts';
import type { ContactAction } from './hub.ts';
import type { Evidence } from './records.ts';

/** Of a message's text, in UTF-8. With the rest of its content it fits the padding's bucket of 32 KiB: the next one is over the hub's limit. */
export const MAX_TEXT_BYTES = 32_000;
export const MAX_CONTENT_BYTES = 32_768;
/** So many rooms a message is forwarded to at once, at most. */
export const ROOMS_AT_ONCE = 5;
/** From here on, an application says that a message was forwarded many times. */
export const FORWARDED_OFTEN = 5;

/** Who uses this device. */
export interface Me {
  readonly user: UserUri;
  readonly device: DeviceUri;
  /** Whether senders are told what this device holds and its person has read. */
  readonly receipts: boolean;
  /** Whether others see that this person is writing, and this person sees it of them. */
  readonly typing: boolean;
}

/** What all members of a room must have alike; bytes in hexadecimal. `devices`: in the order of their leaves. */
export interface Agreement {
  readonly epoch: number;
  readonly authenticator: string;
  readonly transcript: string;
  readonly devices: readonly DeviceUri[];
}

export interface Api {
  /** Who is registered here, or null. */
  me(): Promise<Me | null>;
  /**
   * A new person with this first device exists at the server, and the connection is kept from now on.
   *
   * After `UnavailableError` the same call goes on where it was; after `RefusedError` (`handle_taken`, `not_found`)
   * nothing is left. Throws `StoreError` `occupied` if somebody else is registered here.
   */
  register(user: UserUri): Promise<Me>;
  setReceipts(wanted: boolean): Promise<void>;
  setTyping(wanted: boolean): Promise<void>;

  /** What becomes of what this browser holds. */
  storage(): Promise<StorageState>;
  /** Everything that this browser holds of the device is erased, for ever; somebody can register. */
  startAnew(): Promise<void>;

  connectionState(): Promise<ConnectionState>;
  /** The network may be back: who waits to connect tries at once. */
  hurry(): Promise<void>;

  /** Everyone this user has a relation with; without a connection, as last heard. */
  contacts(): Promise<Contact[]>;
  /** `request`: nothing reaches them until they accept. The others answer a request, take it back, or block. */
  contact(action: ContactAction, user: UserUri): Promise<void>;
  /**
   * The user of a contact code is asked, and believed under the account key in it alone.
   *
   * Throws `RemoteProtocolError` NL-341 when it is none, `VerificationError` NL-533 when we know another key.
   */
  requestByCode(code: string): Promise<UserUri>;
  /** This person's own: whoever has it knows their account key without asking the hub. */
  contactCode(): Promise<string>;
  /** 60 digits over both account keys, the same on both sides; to be compared aloud. */
  safetyNumber(user: UserUri): Promise<string>;

  /** The rooms that this device can write to, the one with the newest message first. */
  rooms(): Promise<RoomSummary[]>;
  /** The room of this person and `user` alone: the one that exists, or a new one, as `createRoom`. */
  roomWith(user: UserUri): Promise<RoomUri>;
  /**
   * A new room of this person and `users`, who are members once this returns; the same `name`, 16 random bytes, is the
   * same room.
   *
   * Throws `RefusedError` (`not_found`: not a contact; `no_key_package`). After `UnavailableError` the room may exist, and
   * is then completed as soon as the server answers.
   */
  createRoom(users: readonly UserUri[], name: Bytes): Promise<RoomUri>;
  /** Every device of `users` is a member. */
  add(room: RoomUri, users: readonly UserUri[]): Promise<void>;
  /** No device of `users` is a member. Throws `RefusedError`: only who began the room may do that. */
  remove(room: RoomUri, users: readonly UserUri[]): Promise<void>;
  /** This device's leaf has fresh keys. */
  update(room: RoomUri): Promise<void>;
  agreement(room: RoomUri): Promise<Agreement>;

  /**
   * `text` is durable in the outbox and goes out in order; `@name@provider` in it mentions that member.
   *
   * `salt`, here and below: the same 16 random bytes do the same thing once. Throws `RefusedError`: `not_found` (not in
   * the room; no such message to reply to), `too_large` (more than 32,000 bytes), `malformed` (not a lifetime).
   */
  send(room: RoomUri, text: string, manner: Manner, salt: Bytes): Promise<MessageKey>;
  /**
   * Our own message says `text` instead, and that it was edited.
   *
   * Throws `RefusedError`: `not_found` (not shown), `not_allowed` (somebody else's), `too_large`.
   */
  edit(messageId: MessageKey, text: string, salt: Bytes): Promise<MessageKey>;
  /** Our own message is deleted for everyone, and that there was one is still seen; null if it was. Throws as `edit`. */
  delete(messageId: MessageKey, salt: Bytes): Promise<MessageKey | null>;
  /**
   * `text`, an emoji as a rule, stands by the message; null if it did already.
   *
   * Throws `RefusedError`: `not_found`, `malformed` (not 1 to 64 bytes without spaces), `too_many`.
   */
  react(messageId: MessageKey, text: string, salt: Bytes): Promise<MessageKey | null>;
  /** Our reaction `text` is taken back; null if there was none. Throws `RefusedError` `not_found`. */
  unreact(messageId: MessageKey, text: string, salt: Bytes): Promise<MessageKey | null>;
  /**
   * What the message says now is sent to `rooms`, five at most, with a count of how often it was forwarded.
   *
   * `salts`: one for each room. Throws `RefusedError`: `not_found`, `too_many` (rooms); then nothing is sent.
   */
  forward(messageId: MessageKey, rooms: readonly RoomUri[], salts: readonly Bytes[]): Promise<MessageKey[]>;
  /**
   * What this device sends to `room` from now on goes so long after it is read; null: it stays.
   *
   * Throws `RefusedError`: `not_found`, `malformed` (not 5 seconds to a year).
   */
  setLifetime(room: RoomUri, seconds: number | null): Promise<void>;
  /** The hub took the message. Throws `RefusedError` when it was refused for good, or is not there. */
  waitSent(messageId: MessageKey): Promise<void>;
  /** The newest `limit` messages (before one, if given), oldest first; own queued ones last. */
  messages(room: RoomUri, limit: number, before?: MessageKey | null): Promise<Message[]>;
  /**
   * The others in `room` see that this person is writing; to be called with each key, if need be.
   *
   * Nothing happens where that is switched off, in rooms of more than 16, or without a connection.
   */
  typing(room: RoomUri): Promise<void>;
  /** The message as it is shown now, if it is: what a reply answers, for example. */
  message(messageId: MessageKey): Promise<Message | null>;
  /** The message and its edits, in order: each has its `evidence`, whatever is shown now. */
  versions(messageId: MessageKey): Promise<MessageKey[]>;
  /** Everything in `room` counts as read; its senders are told if receipts are on. */
  markRead(room: RoomUri): Promise<void>;

  /** The message exactly as it came, with the hub's frank, for the 60 days it is kept. */
  evidence(messageId: MessageKey): Promise<Evidence | null>;
  /** What broke a rule and was not shown, oldest first; the newest thousand. */
  faults(): Promise<FaultSeen[]>;
}
