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
