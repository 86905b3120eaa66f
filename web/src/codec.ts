/**
 * TLS presentation language with MLS vectors, and the outer fields of MLS messages.
 *
 * Source: RFC 8446 section 3; RFC 9420 section 2.1.2 "Variable-Size Vector Length Headers", section 6 "Message Framing".
 */

import { LocalProtocolError, RemoteProtocolError } from './errors.ts';

/** Bytes of our own, as WebCrypto and IndexedDB take them. */
export type Bytes = Uint8Array<ArrayBuffer>;

const MAX_VECTOR_BYTES = 2 ** 30 - 1;
const ONE_BYTE_VECTOR = 2 ** 6 - 1;
const TWO_BYTE_VECTOR = 2 ** 14 - 1;

const MLS_PRIVATE_MESSAGE = new Uint8Array([0, 1, 0, 2]);

const APPLICATION = 1;

/** What anyone can read of an application message. */
export interface PrivateMessageHeader {
  readonly groupId: Bytes;
  readonly epoch: bigint;
  readonly authenticatedData: Bytes;
}

// --- bytes ----------------------------------------------------------------------------------------------------------

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The UTF-8 of `text`. */
export function utf8(text: string): Bytes {
  return encoder.encode(text);
}

/** The text whose UTF-8 is `data`, or null if it is none. */
export function readUtf8(data: Uint8Array): string | null {
  try {
    return decoder.decode(data);
  } catch {
    return null;
  }
}

/** One after the other. */
export function concat(...pieces: readonly Uint8Array[]): Bytes {
  return concatAll(pieces);
}

/** As `concat`, for more than a call has room for. */
export function concatAll(pieces: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** Bytes of our own, whatever they were a part of. */
export function copy(data: Uint8Array): Bytes {
  return new Uint8Array(data);
}

/** Whether both hold the same bytes; not in constant time. */
export function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

/** Two bytes, big-endian. */
export function u16(value: number): Bytes {
  return new Uint8Array([value >> 8, value]);
}

/** Eight bytes, big-endian. */
export function u64(value: number | bigint): Bytes {
  const written = new Uint8Array(8);
  new DataView(written.buffer).setBigUint64(0, BigInt(value));
  return written;
}

/** `content` behind its length in the shortest form: 1, 2 or 4 bytes. */
export function writeVector(content: Uint8Array): Bytes {
  const length = content.length;
  if (length <= ONE_BYTE_VECTOR) return concat(new Uint8Array([length]), content);
  if (length <= TWO_BYTE_VECTOR) return concat(u16(0x4000 | length), content);
  if (length > MAX_VECTOR_BYTES) throw new LocalProtocolError('a vector of more than 2^30 - 1 bytes');
  return concat(u16(0x8000 | (length >>> 16)), u16(length & 0xffff), content);
}

/**
 * Reads fields off the front of `data`; never past its end.
 *
 * Every method throws `RemoteProtocolError` NL-101 where the data ends first, `vector` also NL-102.
 */
export class Reader {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** Nothing is left. */
  get atEnd(): boolean {
    return this.#at === this.#data.length;
  }

  /** A copy of the next `length` bytes. */
  take(length: number): Bytes {
    const end = this.#at + length;
    if (end > this.#data.length) throw new RemoteProtocolError('NL-101', 'ends inside a field');
    const taken = new Uint8Array(this.#data.subarray(this.#at, end));
    this.#at = end;
    return taken;
  }

  #uint(bytes: number): number {
    return this.take(bytes).reduce((value, byte) => value * 256 + byte, 0);
  }

  u8(): number {
    return this.#uint(1);
  }

  u16(): number {
    return this.#uint(2);
  }

  u64(): bigint {
    return new DataView(this.take(8).buffer).getBigUint64(0);
  }

  /** The content of a vector whose length header has the shortest form. */
  vector(): Bytes {
    const first = this.u8();
    const form = first >> 6;
    if (form === 0) return this.take(first);
    if (form === 3) throw new RemoteProtocolError('NL-102', 'a vector length with prefix 11');
    const rest = form === 1 ? this.#uint(1) : this.#uint(3);
    const length = (first & 0x3f) * (form === 1 ? 2 ** 8 : 2 ** 24) + rest;
    if (length <= (form === 1 ? ONE_BYTE_VECTOR : TWO_BYTE_VECTOR)) {
      throw new RemoteProtocolError('NL-102', 'a vector length longer than it need be');
    }
    return this.take(length);
  }

  /** The content of a vector, which is UTF-8. Throws also NL-104. */
  text(): string {
    const text = readUtf8(this.vector());
    if (text === null) throw new RemoteProtocolError('NL-104', 'not UTF-8');
    return text;
  }

  /** Nothing is left. Throws `RemoteProtocolError` NL-103. */
  finish(): void {
    if (!this.atEnd) throw new RemoteProtocolError('NL-103', 'bytes after the last field');
  }
}

// --- MLS messages ---------------------------------------------------------------------------------------------------

/**
 * `message` is an MLSMessage that holds one PrivateMessage of content type application, and nothing else.
 *
 * Throws `RemoteProtocolError` NL-101 to NL-103; NL-105 for another version or wire format; NL-106 for a handshake.
 */
export function readPrivateMessage(message: Uint8Array): PrivateMessageHeader {
  if (!equal(message.subarray(0, MLS_PRIVATE_MESSAGE.length), MLS_PRIVATE_MESSAGE)) {
    throw new RemoteProtocolError('NL-105', 'not an MLS 1.0 PrivateMessage');
  }
  const reader = new Reader(message.subarray(MLS_PRIVATE_MESSAGE.length));
  const groupId = reader.vector();
  const epoch = reader.u64();
  if (reader.u8() !== APPLICATION) {
    throw new RemoteProtocolError('NL-106', 'a PrivateMessage that is not application data');
  }
  const authenticatedData = reader.vector();
  reader.vector();
  reader.vector();
  reader.finish();
  return { groupId, epoch, authenticatedData };
}
