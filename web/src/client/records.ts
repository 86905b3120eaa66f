/** What the local store's rows say. */

import type { Preview, Seal } from '../attachment.ts';
import type { BlobId, RoomUri, TimestampMs, UserUri } from '../ids.ts';
import type { Bytes } from '../codec.ts';
import type { DeviceUri } from '../ids.ts';
import type { Said } from '../conversation.ts';
import type { ProblemName } from '../errors.ts';
import type { RoomProfile } from '../profile.ts';
import type { Role } from '../roles.ts';
import type { Words } from '../words.ts';
import type { MessageKey, MessageState, Notice } from './events.ts';
import type { SubmissionKey } from './session.ts';

export const ROOM_NAME_BYTES = 16;

/**
 * How this device stands to a room.
 *
 * `created`: the group is made here; the hub may not know the room yet. `leaving`: this person has left, and the others
 * are still to be told: the outbox ends with the commit that does it. `broken`: its group can't go on here; somebody
 * has to add this device again.
 */
export type Standing = 'created' | 'joined' | 'leaving' | 'left' | 'broken';

/** One device of one person. Keys are Ed25519 public keys. `registered`: the server has the account. */
export interface Identity {
  readonly serverUrl: string;
  readonly user: UserUri;
  readonly device: DeviceUri;
  readonly accountKey: Bytes;
  readonly sessionKey: Bytes;
  readonly signatureKey: Bytes;
  /** The identity in this device's leaves. */
  readonly credential: Bytes;
  readonly registered: boolean;
}

/**
 * Where a room stopped here. `digest`: SHA-256 of the payload of the entry `seq`, if it came.
 *
 * `toldSeq`, `toldAtMs`: what the server was told last, and when.
 */
export interface Lost {
  readonly seq: number;
  readonly digest: Bytes | null;
  readonly toldSeq: number | null;
  readonly toldAtMs: TimestampMs | null;
}

/** One room. `cursor`: the log is processed up to here. `unread`: other people's messages, in order. */
export interface RoomRecord {
  readonly room: RoomUri;
  readonly standing: Standing;
  readonly cursor: number;
  readonly epoch: number;
  readonly frankingKey: Bytes;
  readonly members: readonly UserUri[];
  /** As `encodeRoles` writes them. */
  readonly roles: Bytes;
  readonly unread: readonly MessageKey[];
  /** Of the newest message processed. */
  readonly acceptedAtMs: TimestampMs;
  /** What this device sends there stays so long once it is read; null for ever. */
  readonly lifetimeS: number | null;
  /** Where it stopped here, once or now. */
  readonly lost?: Lost;
}

/** A room that nothing is known of yet. */
export function newRoom(room: RoomUri, standing: Standing, cursor: number, frankingKey: Bytes): RoomRecord {
  return {
    room,
    standing,
    cursor,
    epoch: 0,
    frankingKey,
    members: [],
    roles: new Uint8Array(),
    unread: [],
    acceptedAtMs: 0 as TimestampMs,
    lifetimeS: null,
  };
}

/** Whether this device can write there. */
export function isOpen({ standing }: RoomRecord): boolean {
  return standing === 'created' || standing === 'joined';
}

/** Whether this device takes in what the room's log says. */
export function follows({ standing }: RoomRecord): boolean {
  return standing === 'joined' || standing === 'leaving';
}

/** A message as it is stored: also an edit, a deletion, a reaction, and what cannot be shown. */
export interface MessageRecord extends Omit<Said, 'expires'> {
  readonly room: RoomUri;
  readonly messageId: MessageKey;
  readonly sender: UserUri;
  readonly own: boolean;
  readonly state: MessageState;
  /** Its place in the log; null while queued. */
  readonly seq: number | null;
  readonly acceptedAtMs: TimestampMs | null;
  /** Of a failed one alone. */
  readonly problem: ProblemName | null;
  /** Null when they are gone, or nothing in it can be shown. */
  readonly words: Words | null;
  /** How long it stays once it is read. */
  readonly lifetimeS: number | null;
  /** When it goes; null when that is not known, or it has gone. */
  readonly expiresAtMs: TimestampMs | null;
}

/**
 * What a commit is for, so that it can be built again after another commit won.
 *
 * `add`: key packages; `remove`: users; `drop`: devices; `give`: roles; `renew`: key packages of devices in the room that
 * cannot go on with the leaf that they have. All empty: fresh keys for this device's leaf.
 */
export interface Intent {
  readonly add: readonly Bytes[];
  readonly remove: readonly UserUri[];
  readonly drop: readonly DeviceUri[];
  readonly give: readonly (readonly [UserUri, Role])[];
  readonly renew?: readonly Bytes[];
}

export const FRESH_KEYS: Intent = { add: [], remove: [], drop: [], give: [] };

/**
 * A room's name and picture, and what is to be told of them.
 *
 * `greeter`: who let this device in, and whose word counts until somebody else's was heard. `owed`: this device has let
 * somebody in, and has to tell them.
 */
export interface ProfileRecord {
  readonly profile: RoomProfile | null;
  readonly greeter: UserUri | null;
  readonly owed: boolean;
}

export const NO_PROFILE: ProfileRecord = { profile: null, greeter: null, owed: false };

interface Submission {
  readonly submissionId: SubmissionKey;
  readonly room: RoomUri;
  /** What `payload` is built for; null when it is not built. */
  readonly epoch: number | null;
  readonly payload: Bytes | null;
}

/** A message of a person's, or a status report, in the outbox. `content`: application data. */
export interface OutgoingMessage extends Submission {
  readonly kind: 'message' | 'status';
  readonly content: Bytes;
  readonly messageId: MessageKey | null;
}

/** A commit in the outbox. */
export interface OutgoingCommit extends Submission {
  readonly kind: 'commit';
  /** It goes out before everything else in its room. */
  readonly first: boolean;
  readonly intent: Intent;
  readonly welcome: Bytes | null;
}

export type OutboxItem = OutgoingMessage | OutgoingCommit;

/** Whether it goes out before everything else in its room. */
export function isFirst(item: OutboxItem): boolean {
  return item.kind === 'commit' && item.first;
}

/** A device that shows its link code, `text`, to be one of `user`'s. Its private keys are with the others. */
export interface ShownLink {
  readonly user: UserUri;
  readonly text: string;
}

/**
 * A device being taken in: durable before the server is told, so that it is told the same again.
 *
 * `text`: the code that it shows; `deviceList`: signed; `sealed`: the package for it.
 */
export interface TakingIn {
  readonly text: string;
  readonly deviceList: Bytes;
  readonly sealed: Bytes;
}

/**
 * A new account key on its way to the hub, and what it is told with it: durable before, so that it is told the same again.
 *
 * The private key is with the others. `removed`: the devices that go with the former key; `deviceList`: signed;
 * `credential`: of this device's own leaves.
 */
export interface Replacing {
  readonly accountKey: Bytes;
  readonly removed: readonly DeviceUri[];
  readonly deviceList: Bytes;
  readonly succession: Bytes;
  readonly credentials: readonly Bytes[];
  readonly credential: Bytes;
}

/** A notice, and whether the person has seen it. */
export interface NoticeRecord extends Notice {
  readonly seen: boolean;
}

/** A file on its way to the hub. `seal`: how it is sealed and kept here; `blob`: its id once the hub gave one. */
export interface Upload {
  readonly uploadId: string;
  readonly room: RoomUri;
  readonly seal: Seal;
  readonly contentType: string;
  readonly filename: string;
  readonly preview: Preview | null;
  readonly caption: string;
  readonly replyTo: MessageKey | null;
  readonly blob: BlobId | null;
  /** Why it cannot be sent. */
  readonly problem: ProblemName | null;
}

/** One message as a report shows it: the exact content, and the hub's statement. */
export interface Evidence {
  readonly applicationData: Bytes;
  readonly frank: Bytes;
  readonly acceptedAtMs: TimestampMs;
}
