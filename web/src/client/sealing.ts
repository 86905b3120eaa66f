/** Rows as they lie in the browser's storage: CBOR under AES-GCM, with a key that no script can read. */

import { decode, encode } from 'cborg';

import { type Bytes, concat, copy } from '../codec.ts';

const NONCE_BYTES = 12;

/** A fresh key for rows. */
export function makeSealingKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

/** `value`, of plain objects, arrays, text, numbers, booleans, null and bytes. `place`: where the row is, and no other. */
export async function seal(key: CryptoKey, place: string, value: unknown): Promise<Bytes> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const sealed = await crypto.subtle.encrypt(gcm(nonce, place), key, copy(encode(value)));
  return concat(nonce, new Uint8Array(sealed));
}

/** What `seal` sealed. Throws what WebCrypto throws where it was not sealed with this key for this place. */
export async function unseal(key: CryptoKey, place: string, row: Bytes): Promise<unknown> {
  const nonce = row.subarray(0, NONCE_BYTES);
  const opened = await crypto.subtle.decrypt(gcm(nonce, place), key, row.subarray(NONCE_BYTES));
  return decode(new Uint8Array(opened));
}

function gcm(nonce: Bytes, place: string): AesGcmParams {
  return { name: 'AES-GCM', iv: nonce, additionalData: new TextEncoder().encode(place) };
}
