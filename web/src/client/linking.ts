/** Sealing what an old device hands to a new one (RFC 9180). */

import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';

import { type Bytes, concat, copy } from '../codec.ts';
import { VerificationError } from '../errors.ts';
import { decodeLinkPackage, encodeLinkPackage, type LinkCode, linkInfo, type LinkPackage } from '../linking.ts';

const ENCAPSULATED_BYTES = 32;
const SUITE = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes128Gcm(),
});

/** `linked`, for the device that shows `code` alone: the encapsulated key ‖ the ciphertext. */
export async function sealLink(code: LinkCode, linked: LinkPackage): Promise<Bytes> {
  const recipientPublicKey = await SUITE.kem.deserializePublicKey(code.sealingKey);
  const sealed = await SUITE.seal({ recipientPublicKey, info: linkInfo(code) }, encodeLinkPackage(linked));
  return concat(new Uint8Array(sealed.enc), new Uint8Array(sealed.ct));
}

/**
 * What somebody who has seen `code` has left for us. `sealingKey`: the X25519 private key.
 *
 * Throws `VerificationError` NL-355; `RemoteProtocolError` as `decodeLinkPackage`.
 */
export async function unsealLink(code: LinkCode, sealingKey: CryptoKey, sealed: Bytes): Promise<LinkPackage> {
  const enc = copy(sealed.subarray(0, ENCAPSULATED_BYTES));
  const ciphertext = copy(sealed.subarray(ENCAPSULATED_BYTES));
  let opened: ArrayBuffer;
  try {
    opened = await SUITE.open({ recipientKey: sealingKey, enc, info: linkInfo(code) }, ciphertext);
  } catch {
    throw new VerificationError('NL-355', "a package that does not open with the code's key");
  }
  return decodeLinkPackage(new Uint8Array(opened));
}
