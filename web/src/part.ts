/**
 * The parts of a message's body: nothing, a text or file inside it, something at a URL, or several of these.
 *
 * Source: draft-ietf-mimi-content-08, "Message Bodies" and "External content".
 */

import { type Int, isArray, type Value } from './cbor.ts';
import { type Bytes, readUtf8 } from './codec.ts';
import { RemoteProtocolError } from './errors.ts';

export const TEXT_PLAIN = 'text/plain;charset=utf-8';
export const TEXT_MARKDOWN = 'text/markdown;variant=GFM-MIMI';
export const TEXT_TYPES: ReadonlySet<string> = new Set([TEXT_PLAIN, TEXT_MARKDOWN]);

export const MAX_PARTS = 1024;

/** What a part is for. On receipt an unknown one, up to 255, counts as `render`. */
export const Disposition = {
  unspecified: 0,
  render: 1,
  reaction: 2,
  profile: 3,
  inline: 4,
  icon: 5,
  attachment: 6,
  session: 7,
  preview: 8,
} as const;

/** How the parts of a `MultiPart` belong together. */
export const PartSemantics = { chooseOne: 0, singleUnit: 1, processAll: 2 } as const;

const Cardinality = { null: 0, single: 1, external: 2, multi: 3 } as const;

interface AnyPart {
  readonly disposition: number;
  readonly language: string;
}

/** No body: a message that deletes another. */
export interface NullPart extends AnyPart {
  readonly kind: 'null';
}

/** A body inside the message. `contentType` is an IANA media type. */
export interface SinglePart extends AnyPart {
  readonly kind: 'single';
  readonly contentType: string;
  readonly content: Bytes;
}

/**
 * A body at `url`, encrypted under `key` unless `encryptionAlgorithm` is 0.
 *
 * `expiresS`: Unix seconds, or 0; `size`: bytes, or 0; `contentHash` is over the ciphertext.
 */
export interface ExternalPart extends AnyPart {
  readonly kind: 'external';
  readonly contentType: string;
  readonly url: string;
  readonly expiresS: number;
  readonly size: Int;
  readonly encryptionAlgorithm: number;
  readonly key: Bytes;
  readonly nonce: Bytes;
  readonly aad: Bytes;
  readonly hashAlgorithm: number;
  readonly contentHash: Bytes;
  readonly description: string;
  readonly filename: string;
}

/** Two parts or more. */
export interface MultiPart extends AnyPart {
  readonly kind: 'multi';
  readonly semantics: number;
  readonly parts: readonly Part[];
}

export type Part = NullPart | SinglePart | ExternalPart | MultiPart;

// --- values of CBOR -------------------------------------------------------------------------------------------------

/** `part` as CBOR holds it. */
export function partValue(part: Part): Value[] {
  const head = [part.disposition, part.language, Cardinality[part.kind]];
  switch (part.kind) {
    case 'null':
      return head;
    case 'single':
      return [...head, part.contentType, part.content];
    case 'external':
      return [
        ...head,
        part.contentType,
        part.url,
        part.expiresS,
        part.size,
        part.encryptionAlgorithm,
        part.key,
        part.nonce,
        part.aad,
        part.hashAlgorithm,
        part.contentHash,
        part.description,
        part.filename,
      ];
    case 'multi':
      return [...head, part.semantics, part.parts.map(partValue)];
  }
}

/**
 * The part that `value` holds. That parts nest four deep at most follows from `MAX_DEPTH` of CBOR.
 *
 * Throws `RemoteProtocolError` NL-126 to NL-128.
 */
export function readBody(value: Value): Part {
  const body = readPart(value);
  if (count(body) > MAX_PARTS) throw new RemoteProtocolError('NL-127', 'too many parts');
  return body;
}

function count(part: Part): number {
  return part.kind === 'multi' ? part.parts.reduce((total, inner) => total + count(inner), 1) : 1;
}

function refuse(reason: string): never {
  throw new RemoteProtocolError('NL-126', reason);
}

function text(value: Value | undefined): string {
  return typeof value === 'string' ? value : refuse('a part with a field of another type');
}

function bytes(value: Value | undefined): Bytes {
  return value instanceof Uint8Array ? value : refuse('a part with a field of another type');
}

/** An unsigned integer of at most `bits`, 32 or fewer. */
function uint(value: Value | undefined, bits: number): number {
  if (typeof value === 'number' && value >= 0 && value < 2 ** bits) return value;
  return refuse('a part with a field of another type');
}

function uint64(value: Value | undefined): Int {
  if ((typeof value === 'number' || typeof value === 'bigint') && value >= 0) return value;
  return refuse('a part with a field of another type');
}

function readPart(value: Value): Part {
  if (!isArray(value) || value.length < 3) return refuse('not a part');
  const front = { disposition: uint(value[0], 8), language: text(value[1]) };
  const fields = value.slice(3);
  switch (uint(value[2], 8)) {
    case Cardinality.null:
      if (fields.length === 0) return { kind: 'null', ...front };
      break;
    case Cardinality.single:
      if (fields.length === 2) return readSingle(front, fields);
      break;
    case Cardinality.external:
      if (fields.length === 12) return readExternal(front, fields);
      break;
    case Cardinality.multi:
      if (fields.length === 2) return readMulti(front, fields);
      break;
  }
  return refuse('not a part');
}

function readSingle(front: AnyPart, fields: readonly Value[]): SinglePart {
  const part: SinglePart = {
    kind: 'single',
    ...front,
    contentType: text(fields[0]),
    content: bytes(fields[1]),
  };
  if (TEXT_TYPES.has(part.contentType) && readUtf8(part.content) === null) {
    throw new RemoteProtocolError('NL-128', 'a text that is not UTF-8');
  }
  return part;
}

function readExternal(front: AnyPart, fields: readonly Value[]): ExternalPart {
  return {
    kind: 'external',
    ...front,
    contentType: text(fields[0]),
    url: text(fields[1]),
    expiresS: uint(fields[2], 32),
    size: uint64(fields[3]),
    encryptionAlgorithm: uint(fields[4], 16),
    key: bytes(fields[5]),
    nonce: bytes(fields[6]),
    aad: bytes(fields[7]),
    hashAlgorithm: uint(fields[8], 8),
    contentHash: bytes(fields[9]),
    description: text(fields[10]),
    filename: text(fields[11]),
  };
}

function readMulti(front: AnyPart, [semantics, parts]: readonly Value[]): MultiPart {
  if (!isArray(parts) || parts.length < 2) return refuse('not a part');
  if (uint(semantics, 8) > PartSemantics.processAll) return refuse('unknown part semantics');
  return { kind: 'multi', ...front, semantics: uint(semantics, 8), parts: parts.map(readPart) };
}
