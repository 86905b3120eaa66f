/**
 * Deterministic CBOR: a strict layer over cborg.
 *
 * One value has one encoding, and no other is accepted. Allowed are null, booleans, integers of 64 bits, byte strings,
 * text, arrays and maps with keys of integer, text or byte string; tags, floats and other simple values are not.
 *
 * Source: RFC 8949 section 4.2.1 "Core Deterministic Encoding Requirements"; draft-ietf-mimi-content-08, "CBOR Data
 * Model and Encoding Restrictions".
 */

import { encode as write, rfc8949EncodeOptions, Tokenizer, Type } from 'cborg';

import { type Bytes, equal, readUtf8 } from './codec.ts';
import { LocalProtocolError, RemoteProtocolError } from './errors.ts';

/** An integer is a `bigint` where a `number` does not hold it, and only there. */
export type Int = number | bigint;
export type Key = Int | string | Bytes;
export type Value = boolean | Int | Bytes | string | null | readonly Value[] | ValueMap;

export type ValueMap = ReadonlyMap<Key, Value>;

/** Arrays and maps inside each other. MIMI content needs no more: itself, four parts, the three lists between them. */
export const MAX_DEPTH = 8;

const MAX_INT = 2n ** 64n - 1n;
const MIN_INT = -(2n ** 64n);

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
  try {
    check(value, 0);
  } catch (error) {
    if (error instanceof NotAllowedError) throw new LocalProtocolError(`not encodable: ${error.message}`);
    throw error;
  }
  return new Uint8Array(write(value, rfc8949EncodeOptions));
}

/**
 * The value whose one encoding is `data`.
 *
 * Throws `RemoteProtocolError` NL-110 where `data` is not CBOR of this profile (indefinite lengths and keys twice
 * included), NL-111 where it is not the deterministic encoding: keys out of order, long integers, bytes left over.
 */
export function decode(data: Uint8Array): Value {
  let value: Value;
  try {
    value = read(new Tokenizer(data, { allowBigInt: true, allowIndefinite: false, retainStringBytes: true }), 0);
    check(value, 0);
  } catch {
    throw new RemoteProtocolError('NL-110', 'not CBOR of our profile');
  }
  if (!equal(write(value, rfc8949EncodeOptions), data)) {
    throw new RemoteProtocolError('NL-111', 'not deterministic CBOR');
  }
  return value;
}

// --- reading --------------------------------------------------------------------------------------------------------

function read(tokens: Tokenizer, depth: number): Value {
  if (tokens.done()) throw new NotAllowedError('ends inside a value');
  const token = tokens.next();
  switch (token.type) {
    case Type.uint:
    case Type.negint:
      return token.value as Int;
    case Type.bytes:
      return token.value as Bytes;
    case Type.string:
      // A Tokenizer keeps no bytes of an empty text.
      return text(token.byteValue ?? new Uint8Array());
    case Type.true:
      return true;
    case Type.false:
      return false;
    case Type.null:
      return null;
  }
  if (depth === MAX_DEPTH) throw new NotAllowedError('nested too deeply');
  const length = token.value as Int;
  switch (token.type) {
    case Type.array: {
      const items: Value[] = [];
      for (let count = 0; count < length; count += 1) items.push(read(tokens, depth + 1));
      return items;
    }
    case Type.map:
      return readMap(tokens, length, depth + 1);
  }
  throw new NotAllowedError('a kind of value that is not in the profile');
}

function readMap(tokens: Tokenizer, length: Int, depth: number): ValueMap {
  const map = new Map<Key, Value>();
  const seen = new Set<string>();
  for (let count = 0; count < length; count += 1) {
    const key = asKey(read(tokens, depth));
    const name = `${typeof key}:${key.toString()}`;
    if (seen.has(name)) throw new NotAllowedError('a key twice');
    seen.add(name);
    map.set(key, read(tokens, depth));
  }
  return map;
}

function text(bytes: Uint8Array): string {
  const text = readUtf8(bytes);
  if (text === null) throw new NotAllowedError('text that is not UTF-8');
  return text;
}

// --- the profile ----------------------------------------------------------------------------------------------------

function asKey(value: Value): Key {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return value;
  if (value instanceof Uint8Array) return value;
  throw new NotAllowedError('a kind of key that is not in the profile');
}

function check(value: Value, depth: number): void {
  if (value === null || typeof value === 'boolean' || value instanceof Uint8Array) return;
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new NotAllowedError('text with half a surrogate pair');
  } else if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new NotAllowedError('a number that is not a safe integer');
  } else if (typeof value === 'bigint') {
    if (value < MIN_INT || value > MAX_INT) throw new NotAllowedError('an integer of more than 64 bits');
  } else {
    if (depth === MAX_DEPTH) throw new NotAllowedError('nested too deeply');
    for (const item of isMap(value) ? [...value].flat() : value) check(item, depth + 1);
  }
}
