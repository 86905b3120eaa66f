/** The keys of a new device, none of which can be read by any script, and the device list that vouches for it. */

import type { Bytes } from '../codec.ts';
import {
  type Device,
  type DeviceList,
  encodeLeafCredential,
  encodeSignedDeviceList,
  firstDeviceList,
  leafCredential,
  MAX_LIFETIME_MS,
  nextDeviceList,
  signDeviceList,
} from '../credential.ts';
import { toHex } from '../hex.ts';
import { deviceUri, type TimestampMs, type UserUri } from '../ids.ts';
import { signer } from '../signature.ts';
import { StoreError } from './errors.ts';
import type { Identity } from './records.ts';
import type { KeyName } from './database.ts';
import type { Store } from './store.ts';
import { now, random } from './surroundings.ts';

export const DEVICE_NAME_BYTES = 8;
/** Two days short of what is allowed, so that a friend whose clock is a little behind believes the list too. */
const LIST_LIFETIME_MS = MAX_LIFETIME_MS - 2 * 86_400_000;

/**
 * Who is in `store`: `user`, new, or from an attempt that never heard the server's answer.
 *
 * Throws `StoreError` where there is another identity, or one that is registered.
 */
export async function newIdentity(store: Store, serverUrl: string, user: UserUri): Promise<Identity> {
  const known = store.identity.get('');
  if (known !== null && (known.registered || known.user !== user)) {
    throw new StoreError('occupied', 'somebody is registered here already');
  }
  return known ?? createIdentity(store, serverUrl, user);
}

async function createIdentity(store: Store, serverUrl: string, user: UserUri): Promise<Identity> {
  const [account, session, signature] = await Promise.all([makeKey(), makeKey(), makeKey()]);
  const device = deviceUri(user, toHex(random(DEVICE_NAME_BYTES)));
  const entry = { uri: device, signatureKey: signature.publicKey };
  const listed = firstDeviceList(user, account.publicKey, entry, (now() + LIST_LIFETIME_MS) as TimestampMs);
  const identity: Identity = {
    serverUrl,
    user,
    device,
    accountKey: account.publicKey,
    sessionKey: session.publicKey,
    signatureKey: signature.publicKey,
    credential: encodeLeafCredential(await leafCredential(listed, device, signer(account.privateKey))),
    registered: false,
  };
  await store.transaction(() => {
    const keys: [KeyName, CryptoKey][] = [
      ['account', account.privateKey],
      ['session', session.privateKey],
      ['signature', signature.privateKey],
    ];
    for (const [name, key] of keys) store.putKey(name, key);
    store.pins.put(user, listed);
    store.identity.put('', identity);
  });
  return identity;
}

/** An Ed25519 key; no script can read the private half. */
export interface KeyPair {
  readonly privateKey: CryptoKey;
  readonly publicKey: Bytes;
}

/** A fresh Ed25519 key that no script can read. */
export async function makeKey(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
  const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  return { privateKey: pair.privateKey, publicKey };
}

/** The encoded, signed `listed`, which is this person's own. */
export async function signedList(store: Store, listed: DeviceList): Promise<Bytes> {
  return encodeSignedDeviceList(await signDeviceList(listed, signer(store.key('account'))));
}

/** The list after `listed`, with `devices`. */
export function changed(listed: DeviceList, devices: readonly Device[]): Promise<DeviceList> {
  return nextDeviceList(listed, devices, (now() + LIST_LIFETIME_MS) as TimestampMs);
}

/** The same devices on a list that lasts longer, once half its time is over; null before. */
export async function renewed(listed: DeviceList): Promise<DeviceList | null> {
  if (Number(listed.expiresAtMs) - now() > LIST_LIFETIME_MS / 2) return null;
  return changed(listed, listed.devices);
}
