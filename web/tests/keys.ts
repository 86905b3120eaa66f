/** Ed25519 keys from seeds, as the vectors name them. */

import { concat, type Bytes } from '../src/codec.ts';
import { signer, type Sign } from '../src/signature.ts';
import { fromHex } from './vectors.ts';

/** PKCS #8 up to the 32 bytes of an Ed25519 seed. Source: RFC 8410 section 7. */
const PKCS8 = fromHex('302e020100300506032b657004220420');

/** Signs with the private key that `seed` makes. */
export async function signerFrom(seed: Bytes): Promise<Sign> {
  return signer(await crypto.subtle.importKey('pkcs8', concat(PKCS8, seed), 'Ed25519', false, ['sign']));
}

/** PKCS #8 up to the 32 bytes of an X25519 private key. Source: RFC 8410 section 7. */
const X25519_PKCS8 = fromHex('302e020100300506032b656e04220420');

/** The X25519 private key that `seed` makes. */
export async function x25519From(seed: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey('pkcs8', concat(X25519_PKCS8, seed), 'X25519', false, ['deriveBits']);
}
