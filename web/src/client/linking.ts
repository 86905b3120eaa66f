/**
 * Linking a device: the new one shows a code and waits, the old one takes it in.
 *
 * Both sides are durable before they are shown or told, so that either may stop at any moment and go on.
 */

import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';

import { type Bytes, concat, copy, equal } from '../codec.ts';
import { type DeviceList, encodeLeafCredential, leafCredential } from '../credential.ts';
import { RefusedError, VerificationError } from '../errors.ts';
import { toHex } from '../hex.ts';
import { deviceUri, type UserUri } from '../ids.ts';
import {
  checkLinkTime,
  CODE_LIFETIME_MS,
  decodeLinkPackage,
  encodeLinkPackage,
  type LinkCode,
  linkInfo,
  linkMailbox,
  linkNumber,
  type LinkPackage,
  linkText,
  readLinkCode,
  SECRET_BYTES,
  verifyLinkPackage,
} from '../linking.ts';
import { signer } from '../signature.ts';
import type { LinkShown } from './api.ts';
import { StoreError } from './errors.ts';
import { fetchLink } from './hub.ts';
import { changed, DEVICE_NAME_BYTES, makeKey, signedList } from './identity.ts';
import type { Identity, TakingIn } from './records.ts';
import { keyOfSeed } from './seed.ts';
import type { Store } from './store.ts';
import { now, random } from './surroundings.ts';

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
 * What somebody who has seen `code` has left for us. `privateKey`: X25519.
 *
 * Throws `VerificationError` NL-355; `RemoteProtocolError` as `decodeLinkPackage`.
 */
export async function unsealLink(code: LinkCode, privateKey: CryptoKey, sealed: Bytes): Promise<LinkPackage> {
  const enc = copy(sealed.subarray(0, ENCAPSULATED_BYTES));
  const ciphertext = copy(sealed.subarray(ENCAPSULATED_BYTES));
  const recipientKey = { privateKey, publicKey: await SUITE.kem.deserializePublicKey(code.sealingKey) };
  let opened: ArrayBuffer;
  try {
    opened = await SUITE.open({ recipientKey, enc, info: linkInfo(code) }, ciphertext);
  } catch {
    throw new VerificationError('NL-355', "a package that does not open with the code's key");
  }
  return decodeLinkPackage(new Uint8Array(opened));
}

// --- the new device -------------------------------------------------------------------------------------------------

/**
 * The code of a device that `user` is to link, durable; the same as before while that has not expired.
 *
 * Throws `StoreError` `occupied` where there is a device in the store already.
 */
export async function showLink(store: Store, user: UserUri): Promise<LinkShown> {
  const code = await shownCode(store, user);
  return { text: linkText(code), number: await linkNumber(code), expiresAtMs: Number(code.expiresAtMs) };
}

async function shownCode(store: Store, user: UserUri): Promise<LinkCode> {
  if (store.identity.get('') !== null) throw new StoreError('occupied', 'somebody is registered here already');
  const shown = store.shownLink.get('');
  if (shown?.user === user) {
    const code = readLinkCode(shown.text);
    if (now() < code.expiresAtMs) return code;
  }
  const sealing = (await crypto.subtle.generateKey('X25519', false, ['deriveBits'])) as CryptoKeyPair;
  const [session, signature] = await Promise.all([makeKey(), makeKey()]);
  const code: LinkCode = {
    sealingKey: new Uint8Array(await crypto.subtle.exportKey('raw', sealing.publicKey)),
    secret: random(SECRET_BYTES),
    name: toHex(random(DEVICE_NAME_BYTES)),
    signatureKey: signature.publicKey,
    sessionKey: session.publicKey,
    expiresAtMs: BigInt(now() + CODE_LIFETIME_MS),
  };
  await store.transaction(() => {
    store.putKey('link', sealing.privateKey);
    store.putKey('session', session.privateKey);
    store.putKey('signature', signature.privateKey);
    store.shownLink.put('', { user, text: linkText(code) });
  });
  return code;
}

/**
 * The device in `store`, which shows a code, is one of the person who took it in; null while nobody has.
 *
 * Throws `RefusedError` `not_found`: no code is shown; `VerificationError` NL-352: it has expired. Throws `VerificationError`, `RemoteProtocolError`: as `unsealLink` and `verifyLinkPackage` (NL-354 where somebody else
 * has taken it in); NL-356 for an account key that is not the person's.
 */
export async function joinByLink(store: Store, serverUrl: string): Promise<Identity | null> {
  const shown = store.shownLink.get('');
  if (shown === null) throw new RefusedError('not_found');
  const { user, text } = shown;
  const code = readLinkCode(text);
  const sealed = await fetchLink(await linkMailbox(code));
  if (sealed === null) {
    checkLinkTime(code, now());
    return null;
  }
  const linked = await unsealLink(code, store.key('link'), sealed);
  const device = deviceUri(user, code.name);
  const { list } = await verifyLinkPackage(linked, device, code.signatureKey, now());
  const account = await accountKeyOf(linked);
  const { accountKey, credential } = linked;
  const { sessionKey, signatureKey } = code;
  const keys = { accountKey, sessionKey, signatureKey };
  const identity = { serverUrl, user, device, ...keys, credential, registered: true };
  await store.transaction(() => {
    if (account !== null) store.putKey('account', account);
    store.pins.put(user, list);
    store.identity.put('', identity);
    store.shownLink.delete('');
  });
  return identity;
}

/** The account key that was handed over, which no script can read; null if none was. Throws `VerificationError` NL-356. */
async function accountKeyOf({ accountSeed, accountKey }: LinkPackage): Promise<CryptoKey | null> {
  if (accountSeed.length === 0) return null;
  const { privateKey, publicKey } = await keyOfSeed(accountSeed);
  if (equal(publicKey, accountKey)) return privateKey;
  throw new VerificationError('NL-356', "an account key that is not the person's");
}

// --- the old device -------------------------------------------------------------------------------------------------

/**
 * The device that shows the code `text` is on a list after `listed`, durable and not yet published.
 *
 * Throws `VerificationError` NL-352.
 */
export async function takeIn(store: Store, identity: Identity, listed: DeviceList, text: string): Promise<TakingIn> {
  const code = readLinkCode(text);
  checkLinkTime(code, now());
  const device = deviceUri(identity.user, code.name);
  const entry = { uri: device, signatureKey: code.signatureKey, maySign: false };
  const following = await changed(listed, [...listed.devices, entry]);
  if (!store.hasKey('account')) throw new RefusedError('not_allowed');
  const deviceList = await signedList(store, following);
  const credential = await leafCredential(following, device, signer(store.key('account')));
  const sealed = await sealLink(code, {
    user: identity.user,
    accountKey: following.accountKey,
    deviceList,
    credential: encodeLeafCredential(credential),
    accountSeed: new Uint8Array(),
    historyKey: new Uint8Array(),
  });
  const taking = { text, deviceList, sealed };
  await store.transaction(() => {
    store.takingIn.put('', taking);
  });
  return taking;
}
