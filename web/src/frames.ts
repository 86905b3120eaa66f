/**
 * What client and server say to each other on the WebSocket: MessagePack arrays `[name, field, …]`.
 *
 * A device sees each room's log without gaps, from the sequence number at which it joined. An entry of its own comes as
 * `accepted`, anyone else's as `deliver`; so one rule finds a gap, live and after a reconnect.
 *
 * Source: `docs/protocol.md`, WebSocket.
 */

import type { Bytes } from './codec.ts';
import { PROBLEM_NAMES, type ProblemName, RemoteProtocolError } from './errors.ts';
import { MAX_URI_BYTES, type RoomUri, type Seq, type SubmissionId, SUBMISSION_ID_BYTES } from './ids.ts';
import { MessagePackError, pack, type Packable, Unpacker } from './msgpack.ts';

// --- client to server -----------------------------------------------------------------------------------------------

/** The first frame: signs the connection in and says where to continue: room → the last `seq` held durably. */
export interface Hello {
  readonly frame: 'hello';
  readonly token: string;
  readonly cursors: ReadonlyMap<string, number>;
}

/** `message` is an MLSMessage with a PrivateMessage of content type application. */
export interface SubmitMessage {
  readonly frame: 'submit';
  readonly submissionId: SubmissionId;
  readonly room: RoomUri;
  readonly message: Bytes;
}

/** `commit`: MLSMessage with a PublicMessage; `welcome`: MLSMessage with a Welcome, if it adds anyone. */
export interface SubmitCommit {
  readonly frame: 'commit';
  readonly submissionId: SubmissionId;
  readonly room: RoomUri;
  readonly commit: Bytes;
  readonly welcome: Bytes | null;
}

/** Everything in `room` up to `seq` is durable on this device. */
export interface Acknowledge {
  readonly frame: 'ack';
  readonly room: RoomUri;
  readonly seq: Seq;
}

/** This device's person is writing in `room`: for whoever is connected now, and never answered. */
export interface TellTyping {
  readonly frame: 'typing';
  readonly room: RoomUri;
}

export type ClientFrame = Hello | SubmitMessage | SubmitCommit | Acknowledge | TellTyping;

/** The bytes of a frame. */
export function encodeFrame(frame: ClientFrame): Bytes {
  return pack([frame.frame, ...fields(frame)]);
}

function fields(frame: ClientFrame): Packable[] {
  switch (frame.frame) {
    case 'hello':
      return [frame.token, frame.cursors];
    case 'submit':
      return [frame.submissionId, frame.room, frame.message];
    case 'commit':
      return [frame.submissionId, frame.room, frame.commit, frame.welcome];
    case 'ack':
      return [frame.room, frame.seq];
    case 'typing':
      return [frame.room];
  }
}

// --- server to client -----------------------------------------------------------------------------------------------

/** The connection is signed in. `heads`: the device's rooms → the last `seq` in each log. */
export interface Ready {
  readonly frame: 'ready';
  readonly device: string;
  readonly heads: ReadonlyMap<string, number>;
}

/** This device's own entry is durable. `epoch`: that it was sent in. `frank`: 100 bytes, or empty for a commit. */
export interface Accepted {
  readonly frame: 'accepted';
  readonly submissionId: Bytes;
  readonly room: string;
  readonly seq: number;
  readonly epoch: number;
  readonly acceptedAtMs: number;
  readonly frank: Bytes;
}

/**
 * A submission was not taken. `epoch`: the room's current epoch, with `wrong_epoch` alone.
 *
 * `submissionId` is null when the frame could not be read.
 */
export interface Refused {
  readonly frame: 'refused';
  readonly submissionId: Bytes | null;
  readonly problem: ProblemName;
  readonly epoch: number | null;
  readonly retryAfterMs: number | null;
}

/** What a log entry holds. */
export const ENTRY_KINDS = ['application', 'commit', 'welcome'] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** Somebody else's entry, submitted by the device `sender`. `frank` is empty unless it is a message. */
export interface Delivery {
  readonly frame: 'deliver';
  readonly room: string;
  readonly seq: number;
  readonly kind: EntryKind;
  readonly sender: string;
  readonly acceptedAtMs: number;
  readonly payload: Bytes;
  readonly frank: Bytes;
}

/** This device is no longer a member of `room`; the log ends for it at `seq`. */
export interface Removed {
  readonly frame: 'removed';
  readonly room: string;
  readonly seq: number;
}

/** Something that HTTP tells has changed: `contacts` or `key_packages`. */
export interface Wake {
  readonly frame: 'wake';
  readonly what: string;
}

/** The server is closing this connection, and why: `stopping`, `slow` or `replaced`. */
export interface Goodbye {
  readonly frame: 'goodbye';
  readonly reason: string;
}

/** `user` is writing in `room`, as their device said just now. */
export interface Typing {
  readonly frame: 'typing';
  readonly room: string;
  readonly user: string;
}

export type ServerFrame = Ready | Accepted | Refused | Delivery | Removed | Wake | Goodbye | Typing;

/** The frame that a server sent; fields after those known here are ignored. Throws `RemoteProtocolError` NL-011. */
export function readServerFrame(data: Uint8Array): ServerFrame {
  try {
    const unpacker = new Unpacker(data);
    const fields = new Fields(unpacker);
    const frame = readFields(fields);
    fields.skipRest();
    unpacker.finish();
    return frame;
  } catch (error) {
    if (!(error instanceof MessagePackError)) throw error;
    throw new RemoteProtocolError('NL-011', 'not a frame that a server may send');
  }
}

function readFields(read: Fields): ServerFrame {
  const frame = read.text();
  switch (frame) {
    case 'ready':
      return { frame, device: read.uri(), heads: read.cursors() };
    case 'accepted':
      return {
        frame,
        submissionId: read.id(),
        room: read.uri(),
        seq: read.uint(),
        epoch: read.uint(),
        acceptedAtMs: read.uint(),
        frank: read.bytes(),
      };
    case 'refused':
      return {
        frame,
        submissionId: read.orNil(() => read.id()),
        problem: read.oneOf(PROBLEM_NAMES),
        epoch: read.orLeftOut(() => read.uint()),
        retryAfterMs: read.orLeftOut(() => read.uint()),
      };
    case 'deliver':
      return {
        frame,
        room: read.uri(),
        seq: read.uint(),
        kind: read.oneOf(ENTRY_KINDS),
        sender: read.uri(),
        acceptedAtMs: read.uint(),
        payload: read.bytes(),
        frank: read.bytes(),
      };
    case 'removed':
      return { frame, room: read.uri(), seq: read.uint() };
    case 'wake':
      return { frame, what: read.text() };
    case 'goodbye':
      return { frame, reason: read.text() };
    case 'typing':
      return { frame, room: read.uri(), user: read.uri() };
    default:
      throw new MessagePackError('an unknown frame');
  }
}

/** The fields of one frame, in their order. */
class Fields {
  readonly #unpacker: Unpacker;
  #left: number;

  constructor(unpacker: Unpacker) {
    this.#unpacker = unpacker;
    this.#left = unpacker.array();
  }

  #next(): Unpacker {
    if (this.#left === 0) throw new MessagePackError('a field is missing');
    this.#left -= 1;
    return this.#unpacker;
  }

  text(): string {
    return this.#next().text();
  }

  bytes(): Bytes {
    return this.#next().bytes();
  }

  uint(): number {
    return this.#next().uint();
  }

  uri(): string {
    return shortText(this.#next());
  }

  id(): Bytes {
    const id = this.bytes();
    if (id.length !== SUBMISSION_ID_BYTES) throw new MessagePackError('not 16 bytes');
    return id;
  }

  oneOf<Name extends string>(names: readonly Name[]): Name {
    const text = this.text();
    const found = names.find((name) => name === text);
    if (found === undefined) throw new MessagePackError('an unknown name');
    return found;
  }

  cursors(): ReadonlyMap<string, number> {
    const unpacker = this.#next();
    const cursors = new Map<string, number>();
    for (let pairs = unpacker.map(); pairs > 0; pairs -= 1) cursors.set(shortText(unpacker), unpacker.uint());
    return cursors;
  }

  orNil<Value>(read: () => Value): Value | null {
    if (this.#left === 0 || !this.#unpacker.nil()) return read();
    this.#left -= 1;
    return null;
  }

  orLeftOut<Value>(read: () => Value): Value | null {
    return this.#left === 0 ? null : this.orNil(read);
  }

  skipRest(): void {
    for (; this.#left > 0; this.#left -= 1) this.#unpacker.skip();
  }
}

/** Text of at most 255 characters: what a URI may have at most. */
function shortText(unpacker: Unpacker): string {
  const text = unpacker.text();
  if (text.length > MAX_URI_BYTES && Array.from(text).length > MAX_URI_BYTES) throw new MessagePackError('too long');
  return text;
}
