/** Key packages: made for this device, and read from others and checked against the time when one is added. */

import type { CiphersuiteImpl } from 'ts-mls/crypto/ciphersuite.js';
import { generateKeyPackageWithKey, type KeyPackage, makeKeyPackageRef, verifyKeyPackage } from 'ts-mls/keyPackage.js';
import { verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js';
import type { Lifetime } from 'ts-mls/lifetime.js';
import { encodeMlsMessage } from 'ts-mls/message.js';

import { type Bytes, copy, equal } from '../codec.ts';
import { guarded, must } from './errors.ts';
import { parse } from './handshake.ts';
import { identity } from './leaf.ts';
import { CAPABILITIES, LAST_RESORT_EXTENSION } from './settings.ts';
import { KEPT_ELSEWHERE, SUITE_NAME } from './suite.ts';

const DAY_S = 86_400;
/** The longest time, in seconds, for which a key package may be added. */
const MAX_LIFETIME_S = 90 * DAY_S;
/**
 * How much longer, on both sides, the leaf is valid on the wire: a commit is read up to 30 days after it was made, and
 * the reader then compares the leaf with its clock.
 */
const MARGIN_S = 31 * DAY_S;
/** How far into the past a new key package reaches, for clocks that are behind. */
const SKEW_S = 3600;

/** A key package whose signatures hold. */
export interface KeyPackageSummary {
  readonly credential: Bytes;
  readonly signatureKey: Bytes;
  /** The first and last second at which it may be added. */
  readonly notBeforeS: number;
  readonly notAfterS: number;
}

/** A key package of this device, with its private halves. */
export interface HeldKeyPackage {
  readonly reference: Bytes;
  /** An MLSMessage. */
  readonly message: Bytes;
  readonly initKey: Bytes;
  readonly encryptionKey: Bytes;
  readonly lastResort: boolean;
}

/** What a key package's leaf says of its device. */
export interface Owner {
  readonly credential: Bytes;
  readonly signatureKey: Bytes;
}

/** A fresh key package of `owner`, to be added from `nowS` on for `lifetimeS`. */
export async function makeKeyPackage(
  suite: CiphersuiteImpl,
  owner: Owner,
  nowS: number,
  lifetimeS: number,
  lastResort: boolean,
): Promise<HeldKeyPackage> {
  const made = await generateKeyPackageWithKey(
    { credentialType: 'basic', identity: owner.credential },
    CAPABILITIES,
    { notBefore: BigInt(nowS - SKEW_S - MARGIN_S), notAfter: BigInt(nowS + lifetimeS + MARGIN_S) },
    lastResort ? [LAST_RESORT_EXTENSION] : [],
    { signKey: KEPT_ELSEWHERE, publicKey: owner.signatureKey },
    suite,
  );
  const keyPackage = made.publicPackage;
  return {
    reference: copy(await makeKeyPackageRef(keyPackage, suite.hash)),
    message: copy(encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage })),
    initKey: copy(made.privatePackage.initPrivateKey),
    encryptionKey: copy(made.privatePackage.hpkePrivateKey),
    lastResort,
  };
}

/** The one key package in `message`. Throws `MlsError` NL-200, NL-201. */
export function parseKeyPackage(message: Bytes): KeyPackage {
  const parsed = parse(message);
  must(parsed.wireformat === 'mls_key_package', 'NL-201');
  return parsed.keyPackage;
}

/** The one key package in `message`, its signatures verified. Throws `MlsError` NL-200, NL-201, NL-240. */
export async function verified(message: Bytes, suite: CiphersuiteImpl): Promise<KeyPackage> {
  const keyPackage = parseKeyPackage(message);
  const { leafNode } = keyPackage;
  const holds = await guarded(
    'NL-240',
    async () =>
      (await verifyKeyPackage(keyPackage, suite.signature)) &&
      (await verifyLeafNodeSignatureKeyPackage(leafNode, suite.signature)),
  );
  must(holds && keyPackage.cipherSuite === SUITE_NAME && !equal(keyPackage.initKey, leafNode.hpkePublicKey), 'NL-240');
  return keyPackage;
}

/** What the one key package in `message` says. Throws `MlsError` NL-200, NL-201, NL-234, NL-240, NL-242. */
export async function readKeyPackage(message: Bytes, suite: CiphersuiteImpl): Promise<KeyPackageSummary> {
  const { leafNode } = await verified(message, suite);
  return {
    credential: identity(leafNode),
    signatureKey: copy(leafNode.signaturePublicKey),
    ...period(leafNode.lifetime),
  };
}

/** The references of the key packages that a Welcome is for. Throws `MlsError` NL-200, NL-201. */
export function readWelcome(message: Bytes): Bytes[] {
  const parsed = parse(message);
  must(parsed.wireformat === 'mls_welcome', 'NL-201');
  return parsed.welcome.secrets.map((secrets) => copy(secrets.newMember));
}

/** `keyPackage` may be added at `nowS`. Throws `MlsError` NL-241, NL-242. */
export function checkAddable(keyPackage: KeyPackage, nowS: number): void {
  const { notBeforeS, notAfterS } = period(keyPackage.leafNode.lifetime);
  must(notBeforeS <= nowS && nowS <= notAfterS, 'NL-241');
}

/** An added leaf is within its lifetime on the wire. Throws `MlsError` NL-233. */
export function checkLifetime(keyPackage: KeyPackage, nowS: number): void {
  const { notBefore, notAfter } = keyPackage.leafNode.lifetime;
  must(notBefore <= nowS && nowS <= notAfter, 'NL-233');
}

/** From when to when a key package with this lifetime on the wire may be added. */
function period(lifetime: Lifetime): { notBeforeS: number; notAfterS: number } {
  const rangeS = lifetime.notAfter - lifetime.notBefore;
  must(2 * MARGIN_S <= rangeS && rangeS <= SKEW_S + MAX_LIFETIME_S + 2 * MARGIN_S, 'NL-242');
  return { notBeforeS: Number(lifetime.notBefore) + MARGIN_S, notAfterS: Number(lifetime.notAfter) - MARGIN_S };
}
