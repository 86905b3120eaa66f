/**
 * MessagePack, as much of it as frames are made of: a writer, and a reader that is told which type comes next.
 *
 * By hand, since the libraries to be had read text that is not UTF-8, and integers and floats alike; then this client
 * and the Python one would not agree on what is a frame.
 *
 * Source: the MessagePack specification, "Formats".
 */

import { type Bytes, concat, concatAll, readUtf8, utf8 } from './codec.ts';

/** Not MessagePack, or of another type than expected; `frames.ts` says which check that is. */
export class MessagePackError extends Error {}

// --- writing --------------------------------------------------------------------------------------------------------

export type Packable = string | number | Bytes | null | readonly Packable[] | ReadonlyMap<string, number>;

/** `value` in the shortest form; a number is an unsigned integer of at most 53 bits. */
export function pack(value: Packable): Bytes {
  if (value === null) return new Uint8Array([0xc0]);
  if (typeof value === 'number') return packUint(value);
  if (typeof value === 'string') {
    const text = utf8(value);
    return concat(text.length < 32 ? new Uint8Array([0xa0 | text.length]) : head(0xd9, text.length, 1), text);
  }
  if (value instanceof Uint8Array) return concat(head(0xc4, value.length, 1), value);
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, number>)].flat();
    return concatAll([packContainer(0x80, 0xde, entries.length / 2), ...entries.map(pack)]);
  }
  const items = value as readonly Packable[];
  return concatAll([packContainer(0x90, 0xdc, items.length), ...items.map(pack)]);
}

function packContainer(short: number, long: number, length: number): Bytes {
  return length < 16 ? new Uint8Array([short | length]) : head(long, length, 2);
}

function packUint(value: number): Bytes {
  if (value < 0x80) return new Uint8Array([value]);
  if (value < 2 ** 32) return head(0xcc, value, 1);
  return concat(new Uint8Array([0xcf]), bigEndian(value, 8));
}

/** `marker` is of the form with `width` bytes; the next markers are those with twice and four times as many. */
function head(marker: number, value: number, width: number): Bytes {
  if (value < 256 ** width) return concat(new Uint8Array([marker]), bigEndian(value, width));
  return head(marker + 1, value, width * 2);
}

function bigEndian(value: number, width: number): Bytes {
  const written = new Uint8Array(8);
  new DataView(written.buffer).setBigUint64(0, BigInt(value));
  return written.slice(8 - width);
}

// --- reading --------------------------------------------------------------------------------------------------------

/** Takes typed values off the front of `data`. Every method throws `MessagePackError` where another type comes. */
export class Unpacker {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#data.length) throw new MessagePackError('ends inside a value');
    const taken = this.#data.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #byte(): number {
    const [byte = 0] = this.#take(1);
    return byte;
  }

  /** Exact below 2⁵³; above, no smaller than that. */
  #uint(width: number): number {
    return this.#take(width).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** Whether nil comes; it has been taken then. */
  nil(): boolean {
    const isNil = this.#data[this.#at] === 0xc0;
    if (isNil) this.#at += 1;
    return isNil;
  }

  /** An unsigned integer of at most 53 bits. */
  uint(): number {
    const marker = this.#byte();
    if (marker < 0x80) return marker;
    let value: number;
    if (marker >= 0xcc && marker <= 0xcf) value = this.#uint(2 ** (marker - 0xcc));
    else if (marker >= 0xd0 && marker <= 0xd3) value = this.#int(2 ** (marker - 0xd0));
    else throw new MessagePackError('not an integer');
    if (value < 0 || value > Number.MAX_SAFE_INTEGER) throw new MessagePackError('not an unsigned integer of 53 bits');
    return value;
  }

  #int(width: number): number {
    const value = this.#uint(width);
    return value < 2 ** (8 * width - 1) ? value : -1;
  }

  text(): string {
    const text = readUtf8(this.#take(this.#length(0xa0, 0x1f, 0xd9, 3, 1)));
    if (text === null) throw new MessagePackError('not UTF-8');
    return text;
  }

  bytes(): Bytes {
    return new Uint8Array(this.#take(this.#length(null, 0, 0xc4, 3, 1)));
  }

  /** How many items follow. */
  array(): number {
    return this.#length(0x90, 0x0f, 0xdc, 2, 2);
  }

  /** How many pairs of key and value follow. */
  map(): number {
    return this.#length(0x80, 0x0f, 0xde, 2, 2);
  }

  /** The length behind a marker: in its low bits, or in the `width`, twice or four times as many bytes after it. */
  #length(short: number | null, mask: number, long: number, forms: number, width: number): number {
    const marker = this.#byte();
    if (short !== null && (marker & ~mask) === short) return marker & mask;
    if (marker < long || marker >= long + forms) throw new MessagePackError('a value of another type');
    return this.#uint(width * 2 ** (marker - long));
  }

  /** One value of any type is behind us. */
  skip(): void {
    for (let values = 1; values > 0; values -= 1) {
      const marker = this.#data[this.#at];
      if (marker === undefined) throw new MessagePackError('ends inside a value');
      if (marker < 0x80 || marker >= 0xe0 || marker === 0xc0 || marker === 0xc2 || marker === 0xc3) this.#at += 1;
      else if (marker < 0x90 || marker === 0xde || marker === 0xdf) values += 2 * this.map();
      else if (marker < 0xa0 || marker === 0xdc || marker === 0xdd) values += this.array();
      else if (marker < 0xc0 || (marker >= 0xd9 && marker <= 0xdb)) this.#take(this.#length(0xa0, 0x1f, 0xd9, 3, 1));
      else if (marker >= 0xc4 && marker <= 0xc6) this.#take(this.#length(null, 0, 0xc4, 3, 1));
      else if (marker >= 0xc7 && marker <= 0xc9) this.#take(this.#length(null, 0, 0xc7, 3, 1) + 1);
      else if (marker >= 0xca && marker <= 0xd8) this.#take(SKIPPED[marker - 0xca] ?? 0);
      else throw new MessagePackError('a marker that means nothing');
    }
  }

  /** Nothing is left. */
  finish(): void {
    if (this.#at !== this.#data.length) throw new MessagePackError('bytes after the last value');
  }
}

/** Marker and content of float 32 and 64, the eight integers, and the five extensions of fixed length. */
const SKIPPED = [5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18];
