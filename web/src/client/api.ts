/**
 * What an application asks of its device: one device of one person, in this browser, at this origin.
 *
 * Network failures never lose anything: what is sent waits in the outbox. What asks the server throws `RefusedError` or
 * `UnavailableError`; what the server answers against the rules, `RemoteProtocolError` or `VerificationError`; the
 * browser's storage, `StoreError`. All but `me`, `register`, `showLink`, `linked`, `linkNumber`, `connectionState`, `storage` and `startAnew`
 * throw `RefusedError` `unauthenticated` before somebody is registered.
 */

import type { Contact, PendingRecovery } from '../bodies.ts';
import type { Bytes } from '../codec.ts';
import type { DeviceUri, RoomUri, UserUri } from '../ids.ts';
import type { RoomProfile } from '../profile.ts';
import type { RoleName } from '../roles.ts';
import type { Manner } from './author.ts';
import type { RoomsOfDevice } from './device.ts';
import type { OpenedFile } from './downloads.ts';
import type {
  ConnectionState,
  FaultSeen,
  FileUpload,
  Message,
  MessageKey,
  Notice,
  RoomSummary,
  StorageState,
} from './events.ts';
import type { ContactAction } from './hub.ts';
import type { Evidence } from './records.ts';
import type { OutgoingFile } from './uploads.ts';

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

/** One line in a list of this person's devices. `maySign`: it may take others in and remove them. */
export interface OwnDevice {
  readonly device: DeviceUri;
  readonly maySign: boolean;
  readonly this: boolean;
}

/** What a new device shows: `text`, also as a QR code, and `number`, to be compared on both. */
export interface LinkShown {
  readonly text: string;
  readonly number: string;
  readonly expiresAtMs: number;
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

  /** This person's devices, as last heard. */
  devices(): Promise<OwnDevice[]>;
  /**
   * This browser, where nobody is registered, shows a code by which another device of `user` takes it in; the same one
   * until it expires. Throws `StoreError` `occupied`.
   */
  showLink(user: UserUri): Promise<LinkShown>;
  /**
   * This device of `user`, once it has been taken in.
   *
   * Throws `VerificationError`: NL-352 when the code has expired, NL-354 when somebody else has taken it in, and others
   * where what was handed over does not hold; `UnavailableError`, after which it may be called again.
   */
  linked(): Promise<Me>;
  /** The number that the device with this code shows. Throws `RemoteProtocolError` NL-351. */
  linkNumber(text: string): Promise<string>;
  /**
   * The device that shows the code is one of this person's; each of their rooms follows by itself.
   *
   * Throws `RefusedError` `not_allowed` (this device may not sign), `VerificationError` NL-352 (expired).
   */
  acceptDevice(text: string): Promise<DeviceUri>;
  /**
   * The device is signed out; it leaves each room by itself. If it held the account key, that is replaced, and needs the
   * `words` of the recovery key, where there is one.
   *
   * Throws `RefusedError` `not_allowed`; `VerificationError` NL-134: not the words of a recovery key.
   */
  removeDevice(device: DeviceUri, words?: string | null): Promise<void>;
  /** Whether this person has made a recovery key, as last heard. */
  hasRecoveryKey(): Promise<boolean>;
  /**
   * A new recovery key is this person's, in place of any before: its 24 words, which are kept nowhere and not shown again.
   *
   * After `UnavailableError` the hub may have a key whose words nobody knows: make another. Throws `RefusedError`
   * `not_allowed`: this device may not sign.
   */
  makeRecoveryKey(): Promise<string>;
  /** The recovery that somebody with this person's recovery key has begun, if one waits. */
  waitingRecovery(): Promise<PendingRecovery | null>;
  /** No recovery waits. Whoever began it has the recovery key: make a new one. */
  cancelRecovery(): Promise<void>;

  /** What this person has to be told of keys and devices, oldest first; `unseen`: only what they have not seen. */
  notices(unseen?: boolean): Promise<Notice[]>;
  /** This person has seen all notices there are. */
  seeNotices(): Promise<void>;
  /** The safety number with `user` was compared, and is the same. Throws `RefusedError` `not_found`. */
  compare(user: UserUri): Promise<void>;
  /** Whether the safety number with `user` was compared, and is still the same. */
  isCompared(user: UserUri): Promise<boolean>;
  /** Users who have an account key that nobody vouches for: nothing is sent to where they are. */
  strangers(): Promise<UserUri[]>;
  /**
   * Whoever is `user` now is believed from now on; that they were compared before counts for nothing.
   *
   * Throws `RefusedError` `not_found`: they are who they were; `VerificationError` NL-313: ask again later.
   */
  acceptAnew(user: UserUri): Promise<void>;
  /** In how many of this device's rooms `device` is. */
  roomsOf(device: DeviceUri): Promise<RoomsOfDevice>;

  /** What becomes of what this browser holds. */
  storage(): Promise<StorageState>;
  /** Everything that this browser holds of the device is erased, for ever; somebody can register. */
  startAnew(): Promise<void>;

  connectionState(): Promise<ConnectionState>;
  /** The network may be back: who waits to connect tries at once. */
  hurry(): Promise<void>;

  /** Everyone this user has a relation with; without a connection, as last heard. */
  contacts(heard?: boolean): Promise<Contact[]>;
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
  /** The room of this person and `user` alone, without a name: the one that exists, or a new one, as `createRoom`. */
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
  /**
   * No device of `users` is a member; nor may any be one again, if they are banned.
   *
   * Throws `RefusedError` `not_allowed` for who may not, or not those.
   */
  remove(room: RoomUri, users: readonly UserUri[], ban?: boolean): Promise<void>;
  /** This person is not in `room` any more, which waits in the outbox until the others can be told. */
  leave(room: RoomUri): Promise<void>;
  /** `user` may be added again. Throws `RefusedError` `not_allowed`. */
  unban(room: RoomUri, user: UserUri): Promise<void>;
  /** `user`, a participant, is a member, admin or owner. Throws `RefusedError` `not_allowed`. */
  giveRole(room: RoomUri, user: UserUri, role: RoleName): Promise<void>;
  /** The room has this name and picture. Throws `RefusedError` (`not_allowed`, `malformed`). */
  setProfile(room: RoomUri, profile: RoomProfile, salt: Bytes): Promise<void>;
  /** The name and picture of `room`, if it was given any. */
  profile(room: RoomUri): Promise<RoomProfile | null>;
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

  /**
   * The file is sealed here, and goes out by itself; returns the id of its upload, and `upload_changed` tells how far it
   * is.
   *
   * A picture is made anew without its metadata, unless `original`. Other files go as they are. Throws `RefusedError`:
   * `not_found` (not in the room), `too_large` (more than 100 MB), `malformed` (a picture that cannot be made anew: of
   * another kind, moving, damaged, or of more than 64 million pixels).
   */
  sendFile(room: RoomUri, file: OutgoingFile, salt: Bytes): Promise<string>;
  /** The files on their way to `room`, or refused, that are not messages yet; in order. */
  uploads(room: RoomUri): Promise<FileUpload[]>;
  /** The upload is gone. Throws `RefusedError` `not_found`: it has become a message. */
  cancelUpload(uploadId: string): Promise<void>;
  /**
   * The message's attachment, fetched and checked before anything of it is given out; `download_changed` tells how far
   * it is.
   *
   * Draw it only where `contentType` says that it is a picture; hand anything else to the person as a file. Throws
   * `RefusedError` `not_found`; `VerificationError`: it is not what was sent.
   */
  openFile(messageId: MessageKey, number: number): Promise<OpenedFile>;

  /** The message exactly as it came, with the hub's frank, for the 60 days it is kept. */
  evidence(messageId: MessageKey): Promise<Evidence | null>;
  /** What broke a rule and was not shown, oldest first; the newest thousand. */
  faults(): Promise<FaultSeen[]>;
}
