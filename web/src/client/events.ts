/** What a client tells the application: messages, rooms, and the events that say something has changed. */

import type { Preview } from '../attachment.ts';
import type { RoleName } from '../roles.ts';
import type { ContactState } from '../bodies.ts';
import type { Reaction } from '../conversation.ts';
import type { ProblemName } from '../errors.ts';
import type { MessageKey, RoomUri, TimestampMs, UserUri } from '../ids.ts';

export type { Reaction } from '../conversation.ts';
export type { MessageKey } from '../ids.ts';

/**
 * How far a message has come; a state is only ever followed by a later one in this list.
 *
 * `queued`: durable in the outbox. `sent`: the hub took it. `delivered`, `read`: by at least one other member.
 * `failed`: the hub refused it for good. `received`: somebody else's, verified and stored.
 */
export const MESSAGE_STATES = ['queued', 'sent', 'delivered', 'read', 'failed', 'received'] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];

/** Where the connection to the hub stands. `waiting`: backing off after a failure; the next attempt comes by itself. */
export const CONNECTION_STATES = ['offline', 'connecting', 'catching_up', 'online', 'waiting'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

/**
 * A file that a message has. `filename` is harmless here; `contentType` is its sender's word, and says nothing about
 * what is safe to do with it. `size`: bytes.
 */
export interface AttachedFile {
  readonly filename: string;
  readonly contentType: string;
  readonly size: number;
  readonly description: string;
  /** A small picture of its sender's making, of a kind and size that may be drawn; or null. */
  readonly preview: Preview | null;
}

/** One message of a conversation, ready to show. `acceptedAtMs`: when the hub took it; null while it is queued. */
export interface Message {
  readonly room: RoomUri;
  readonly messageId: MessageKey;
  readonly sender: UserUri;
  readonly text: string;
  readonly state: MessageState;
  readonly own: boolean;
  readonly acceptedAtMs: TimestampMs | null;
  /** The message that it answers, as first sent; it may not be here any more, or never have been. */
  readonly replyTo: MessageKey | null;
  /** Whom `text` calls `@name@provider` and means. */
  readonly mentions: readonly UserUri[];
  readonly reactions: readonly Reaction[];
  readonly edited: boolean;
  /** By its sender: `text` is empty. */
  readonly deleted: boolean;
  /** How often it was forwarded, as its sender says. */
  readonly forwarded: number;
  readonly attachments: readonly AttachedFile[];
  /** How long it stays once it is read; the sender's own, once the hub has it. */
  readonly lifetimeS: number | null;
  /** When it goes; null for never, or when its time has not begun. */
  readonly expiresAtMs: TimestampMs | null;
}

/** One line in a list of rooms. `members`: the participants, this client's user included, sorted. */
export interface RoomSummary {
  readonly room: RoomUri;
  readonly members: readonly UserUri[];
  readonly unread: number;
  readonly last: Message | null;
  /** Of the participants, in the order in which they came, and of those who are banned. */
  readonly roles: readonly (readonly [UserUri, RoleName])[];
  /** What its owner or admins call it; empty, if nothing. */
  readonly name: string;
  /** Whether it has a picture, which its profile holds. */
  readonly pictured: boolean;
  /** What this device sends there stays so long once it is read; null for ever. */
  readonly lifetimeS: number | null;
}

/** A message is to be appended to its room's view; each message once, in the room's order. */
export interface MessageShown {
  readonly kind: 'message_shown';
  readonly message: Message;
}

/** A message that was shown is shown otherwise now: somebody edited it, deleted it, or reacted to it. */
export interface MessageChanged {
  readonly kind: 'message_changed';
  readonly message: Message;
}

/** A message is not shown any more: its time is over. */
export interface MessageExpired {
  readonly kind: 'message_expired';
  readonly room: RoomUri;
  readonly messageId: MessageKey;
}

/**
 * One of this client's own messages is in the outbox, or has come further; edits, deletions and reactions are messages,
 * too. `reason`: with `failed` alone.
 */
export interface MessageStateChanged {
  readonly kind: 'message_state_changed';
  readonly room: RoomUri;
  readonly messageId: MessageKey;
  readonly state: MessageState;
  readonly reason: ProblemName | null;
}

/** A file that is not a message yet. `size`: bytes that go to the hub. `problem`: why it cannot be sent. */
export interface FileUpload {
  readonly uploadId: string;
  readonly filename: string;
  readonly contentType: string;
  readonly size: number;
  readonly caption: string;
  readonly preview: Preview | null;
  readonly problem: ProblemName | null;
}

/**
 * A file that this person sends has come further: `sent` of `size` bytes are at the hub.
 *
 * Then it is a message, `messageId`; or it cannot be sent, for `reason`: the problem's name, or `cancelled`.
 */
export interface UploadChanged {
  readonly kind: 'upload_changed';
  readonly uploadId: string;
  readonly room: RoomUri;
  readonly sent: number;
  readonly size: number;
  readonly messageId: MessageKey | null;
  readonly reason: ProblemName | 'cancelled' | null;
}

/** A file that is being fetched has come further: `here` of `size` bytes. */
export interface DownloadChanged {
  readonly kind: 'download_changed';
  readonly messageId: MessageKey;
  readonly number: number;
  readonly here: number;
  readonly size: number;
}

/** `user` is writing; that holds for some seconds, or until a message of theirs is shown. */
export interface Typing {
  readonly kind: 'typing';
  readonly room: RoomUri;
  readonly user: UserUri;
}

/** A contact has another state; null when there is no relation any more. */
export interface ContactChanged {
  readonly kind: 'contact_changed';
  readonly user: UserUri;
  readonly state: ContactState | null;
}

/** The room was joined, its members changed, or this device left it. `joined`: whether this device is a member. */
export interface RoomChanged {
  readonly kind: 'room_changed';
  readonly room: RoomUri;
  readonly members: readonly UserUri[];
  readonly joined: boolean;
}

/**
 * Something arrived that breaks a rule; it was not shown, and the conversation goes on.
 *
 * `check`: its number in `docs/protocol.md`, such as `NL-511`. `culprit`: a device or user URI, or `hub`.
 */
export interface FaultSeen {
  readonly kind: 'fault_seen';
  readonly room: RoomUri | null;
  readonly check: string;
  readonly culprit: string;
  readonly atMs: TimestampMs;
}

/**
 * What a notice tells.
 *
 * `recovery_waits`: somebody with this person's recovery key waits to make another device theirs. `recovered`: the user
 * came back on a new device by their recovery key. `key_replaced`: the user has another account key, for which the one
 * before or their recovery key vouches. `recovery_key_changed`: this person's was made anew. `new_person`: the user has an
 * account key that nobody vouches for: somebody else, until accepted anew.
 */
export type NoticeKind = 'recovery_waits' | 'recovered' | 'key_replaced' | 'recovery_key_changed' | 'new_person';

/**
 * What this person has to be told of keys and devices, and sees again until they say that they have.
 *
 * `about`: the device, or the key in hexadecimal. `untilMs`: when a wait is over.
 */
export interface Notice {
  readonly kind: 'notice';
  readonly notice: NoticeKind;
  readonly user: UserUri;
  readonly about: string;
  readonly atMs: TimestampMs;
  readonly untilMs: TimestampMs | null;
}

/** The connection to the hub has another state. */
export interface ConnectionChanged {
  readonly kind: 'connection_changed';
  readonly state: ConnectionState;
  readonly reason: string | null;
}

/** The device was opened, by another tab or again: whatever was read before may be behind. */
export interface DeviceOpened {
  readonly kind: 'device_opened';
}

/**
 * What becomes of what this browser holds.
 *
 * `kept`: the browser has promised to keep it. `evictable`: it may wipe it when space is short. `full`: nothing more can
 * be written now; what has come waits at the hub. `wiped`: this browser no longer holds the device. `damaged`: it holds
 * parts of it, which are of no use. `refused`: it lets nothing be stored. After the last three, only starting anew helps.
 */
export type StorageState = 'kept' | 'evictable' | 'full' | 'wiped' | 'damaged' | 'refused';

/** The device's storage has another state. */
export interface StorageChanged {
  readonly kind: 'storage_changed';
  readonly state: StorageState;
}

export type Event =
  | MessageShown
  | MessageChanged
  | MessageExpired
  | MessageStateChanged
  | UploadChanged
  | DownloadChanged
  | Typing
  | ContactChanged
  | RoomChanged
  | FaultSeen
  | Notice
  | ConnectionChanged
  | DeviceOpened
  | StorageChanged;
