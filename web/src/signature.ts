/**
 * Ed25519 signatures under a label, as MLS makes them.
 *
 * Keys stay in WebCrypto, where they need not be extractable; so signing and verifying are asynchronous.
 *
 * Source: RFC 9420 section 5.1.2 "Signing".
 */

import { type Bytes, concat, utf8, writeVector } from './codec.ts';
import { type Check, VerificationError } from './errors.ts';

/** `sign(label, content)` → 64 bytes. */
export type Sign = (label: string, content: Bytes) => Promise<Bytes>;

export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** The bytes that a signature under `label` covers: `SignContent`. */
export function signContent(label: string, content: Bytes): Bytes {
  return concat(writeVector(utf8(`MLS 1.0 ${label}`)), writeVector(content));
}

/** Signs with `key`, an Ed25519 private key. */
export function signer(key: CryptoKey): Sign {
  return async (label, content) =>
    new Uint8Array(await crypto.subtle.sign('Ed25519', key, signContent(label, content)));
}

/**
 * `signature` over `content` under `label` is by `publicKey`.
 *
 * `check` is the caller's number for this signature. Throws `VerificationError` with it, also where the key or the
 * signature is no Ed25519 key or signature at all.
 */
export async function verifyWithLabel(
  publicKey: Bytes,
  label: string,
  content: Bytes,
  signature: Bytes,
  check: Check,
): Promise<void> {
  if (!(await holds(publicKey, signContent(label, content), signature))) {
    throw new VerificationError(check, `the signature under '${label}' does not hold`);
  }
}

async function holds(publicKey: Bytes, signed: Bytes, signature: Bytes): Promise<boolean> {
  try {
    const key = await crypto.subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', key, signature, signed);
  } catch (error) {
    if (error instanceof DOMException && error.name !== 'NotSupportedError') return false;
    throw error;
  }
}
