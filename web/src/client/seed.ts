/** Keys that are handed over, or written down, by their seeds. */

import { type Bytes, concat } from '../codec.ts';
import type { KeyPair } from './identity.ts';

export const SEED_BYTES = 32;
/** PKCS #8 up to the 32 bytes of an Ed25519 seed. Source: RFC 8410 section 7. */
const PKCS8 = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32);

/** The Ed25519 key of `seed`, 32 bytes, which whoever has the seed could read anyway. */
export async function keyOfSeed(seed: Bytes): Promise<KeyPair> {
  const encoded = concat(PKCS8, seed);
  const readable = await crypto.subtle.importKey('pkcs8', encoded, 'Ed25519', true, ['sign']);
  const { x = '' } = await crypto.subtle.exportKey('jwk', readable);
  const publicKey = Uint8Array.from(atob(x.replaceAll('-', '+').replaceAll('_', '/')), (letter) =>
    letter.charCodeAt(0),
  );
  return { privateKey: await crypto.subtle.importKey('pkcs8', encoded, 'Ed25519', false, ['sign']), publicKey };
}
