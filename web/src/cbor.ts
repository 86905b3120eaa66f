/**
 * Deterministic CBOR.
 *
 * One value has one encoding, and no other is accepted. Allowed are null, booleans, integers of 64 bits, byte strings,
 * text, arrays and maps with keys of integer, text or byte string; tags, floats and other simple values are not.
 *
 * By hand: a library of all of CBOR is a sixteenth of what a page may load, and its layer of our rules was as long as this.
 *
 * Source: RFC 8949 section 4.2.1 "Core Deterministic Encoding Requirements"; draft-ietf-mimi-content-08, "CBOR Data
 * Model and Encoding Restrictions".
 */

import { type Bytes, concat, concatAll, readUtf8, Reader, u64, utf8 } from './codec.ts';
import { LocalProtocolError, RemoteProtocolError } from './errors.ts';

/** An integer is a `bigint` where a `number` does not hold it, and only there. */
export type Int = number | bigint;
export type Key = Int | string | Bytes;
export type Value = boolean | Int | Bytes | string | null | readonly Value[] | ValueMap;

export type ValueMap = ReadonlyMap<Key, Value>;

/** Arrays and maps inside each other. MIMI content needs no more: itself, four parts, the three lists between them. */
export const MAX_DEPTH = 8;

const MAX_ARGUMENT = 2n ** 64n - 1n;
/** RFC 8949, 3.1. */
const Major = { uint: 0, negint: 1, bytes: 2, text: 3, array: 4, map: 5, simple: 7 } as const;
/** RFC 8949, 3.3. */
const SIMPLE: ReadonlyMap<Int, boolean | null> = new Map([
  [20, false],
  [21, true],
  [22, null],
]);
/** An argument below this stands in the first byte; the others follow it, in 1, 2, 4 or 8 bytes. */
const IN_FIRST_BYTE = 24;

/** A value outside the profile; `encode` and `decode` say whose fault that is. */
class NotAllowedError extends Error {}

/** `Array.isArray` and `instanceof`, for types that are read-only. */
export function isArray(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value | undefined): value is ValueMap {
  return value instanceof Map;
}

/** The one encoding of `value`. Throws `LocalProtocolError` outside the profile. */
export function encode(value: Value): Bytes {
  const pieces: Bytes[] = [];
  try {
    write(value, 0, pieces);
  } catch (error) {
    if (error instanceof NotAllowedError) throw new LocalProtocolError(`not encodable: ${error.message}`);
    throw error;
  }
  return concatAll(pieces);
}

/**
 * The value whose one encoding is `data`.
 *
 * Throws `RemoteProtocolError` NL-110 where `data` is not CBOR of this profile (indefinite lengths and keys twice
 * included), NL-111 where it is not the deterministic encoding: keys out of order, long integers, bytes left over.
 */
export function decode(data: Uint8Array): Value {
  const source = new Source(data);
  let value: Value;
  try {
    value = source.value(0);
  } catch {
    throw new RemoteProtocolError('NL-110', 'not CBOR of our profile');
  }
  if (!source.isDeterministic) throw new RemoteProtocolError('NL-111', 'not deterministic CBOR');
  return value;
}

// --- writing --------------------------------------------------------------------------------------------------------

function write(value: Value, depth: number, pieces: Bytes[]): void {
  if (typeof value === 'number' || typeof value === 'bigint') pieces.push(integer(value));
  else if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new NotAllowedError('text with half a surrogate pair');
    const text = utf8(value);
    pieces.push(head(Major.text, text.length), text);
  } else if (value instanceof Uint8Array) pieces.push(head(Major.bytes, value.length), value);
  else if (value === null || typeof value === 'boolean')
    pieces.push(head(Major.simple, value === null ? 22 : 20 + +value));
  else {
    if (depth === MAX_DEPTH) throw new NotAllowedError('nested too deeply');
    if (isMap(value)) writeMap(value, depth + 1, pieces);
    else {
      pieces.push(head(Major.array, value.length));
      for (const item of value) write(item, depth + 1, pieces);
    }
  }
}

function writeMap(map: ValueMap, depth: number, pieces: Bytes[]): void {
  const entries = Array.from(map, ([key, value]) => ({ key: encode(key), value }));
  entries.sort((left, right) => compare(left.key, right.key));
  pieces.push(head(Major.map, entries.length));
  for (const { key, value } of entries) {
    pieces.push(key);
    write(value, depth, pieces);
  }
}

function integer(value: Int): Bytes {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new NotAllowedError('a number that is not a safe integer');
  }
  const argument = value < 0 ? -1n - BigInt(value) : value;
  if (argument > MAX_ARGUMENT) throw new NotAllowedError('an integer of more than 64 bits');
  return head(value < 0 ? Major.negint : Major.uint, argument);
}

function head(major: number, argument: Int): Bytes {
  const first = major << 5;
  if (argument < IN_FIRST_BYTE) return Uint8Array.of(first | Number(argument));
  const power = [8, 16, 32, 64].findIndex((bits) => argument < 2 ** bits);
  return concat(Uint8Array.of(first | (IN_FIRST_BYTE + power)), u64(argument).subarray(8 - 2 ** power));
}

function compare(left: Bytes, right: Bytes): number {
  const at = left.findIndex((byte, index) => byte !== right[index]);
  return at < 0 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
}

// --- reading --------------------------------------------------------------------------------------------------------

/** What `value` throws says that this is not CBOR of the profile. */
class Source {
  readonly #reader: Reader;
  #isOneWay = true;

  constructor(data: Uint8Array) {
    this.#reader = new Reader(data);
  }

  /** After the value was read: there is no other way to write it, and nothing is left. */
  get isDeterministic(): boolean {
    return this.#isOneWay && this.#reader.atEnd;
  }

  value(depth: number): Value {
    const first = this.#reader.u8();
    const major = first >> 5;
    if (major === Major.simple) return simple(first & 0x1f);
    const argument = this.#argument(first & 0x1f);
    switch (major) {
      case Major.uint:
        return argument;
      case Major.negint:
        return int(-1n - BigInt(argument));
      case Major.bytes:
        return this.#reader.take(Number(argument));
      case Major.text:
        return text(this.#reader.take(Number(argument)));
    }
    if (depth === MAX_DEPTH) throw new NotAllowedError('nested too deeply');
    switch (major) {
      case Major.array: {
        const items: Value[] = [];
        for (let count = 0; count < argument; count += 1) items.push(this.value(depth + 1));
        return items;
      }
      case Major.map:
        return this.#map(argument, depth + 1);
    }
    throw new NotAllowedError('a kind of value that is not in the profile');
  }

  #argument(info: number): Int {
    if (info < IN_FIRST_BYTE) return info;
    const power = info - IN_FIRST_BYTE;
    if (power > 3) throw new NotAllowedError('an indefinite length');
    const bytes = this.#reader.take(2 ** power);
    const argument = int(bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n));
    if (argument < (power === 0 ? IN_FIRST_BYTE : 2 ** (4 * 2 ** power))) this.#isOneWay = false;
    return argument;
  }

  #map(length: Int, depth: number): ValueMap {
    const map = new Map<Key, Value>();
    const seen = new Set<string>();
    let before: Bytes | null = null;
    for (let count = 0; count < length; count += 1) {
      const key = asKey(this.value(depth));
      const name = `${typeof key}:${key.toString()}`;
      if (seen.has(name)) throw new NotAllowedError('a key twice');
      seen.add(name);
      const written = encode(key);
      if (before !== null && compare(before, written) > 0) this.#isOneWay = false;
      before = written;
      map.set(key, this.value(depth));
    }
    return map;
  }
}

function int(value: bigint): Int {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function simple(info: number): boolean | null {
  const value = SIMPLE.get(info);
  if (value === undefined) throw new NotAllowedError('a simple value that is not in the profile');
  return value;
}

function text(bytes: Uint8Array): string {
  const text = readUtf8(bytes);
  if (text === null) throw new NotAllowedError('text that is not UTF-8');
  return text;
}

function asKey(value: Value): Key {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return value;
  if (value instanceof Uint8Array) return value;
  throw new NotAllowedError('a kind of key that is not in the profile');
}
