/** Rows as they lie in the browser's storage: CBOR under AES-GCM, with a key that no script can read. */

import { decode, encode, isArray, isMap, type Value } from '../cbor.ts';
import { type Bytes, concat } from '../codec.ts';

const NONCE_BYTES = 12;

/** A fresh key for rows. */
export function makeSealingKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

/** `value`, of plain objects, arrays, text, integers, booleans, null and bytes. `place`: where the row is, and no other. */
export async function seal(key: CryptoKey, place: string, value: unknown): Promise<Bytes> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const sealed = await crypto.subtle.encrypt(gcm(nonce, place), key, encode(asValue(value)));
  return concat(nonce, new Uint8Array(sealed));
}

/** What `seal` sealed. Throws what WebCrypto throws where it was not sealed with this key for this place. */
export async function unseal(key: CryptoKey, place: string, row: Bytes): Promise<unknown> {
  const nonce = row.subarray(0, NONCE_BYTES);
  const opened = await crypto.subtle.decrypt(gcm(nonce, place), key, row.subarray(NONCE_BYTES));
  return asRow(decode(new Uint8Array(opened)));
}

function asValue(row: unknown): Value {
  if (Array.isArray(row)) return row.map(asValue);
  if (typeof row !== 'object' || row === null || row instanceof Uint8Array) return row as Value;
  return new Map(Object.entries(row).map(([key, value]) => [key, asValue(value)]));
}

function asRow(value: Value): unknown {
  if (isArray(value)) return value.map(asRow);
  return isMap(value) ? Object.fromEntries(Array.from(value, ([key, value]) => [key, asRow(value)])) : value;
}

function gcm(nonce: Bytes, place: string): AesGcmParams {
  return { name: 'AES-GCM', iv: nonce, additionalData: new TextEncoder().encode(place) };
}
