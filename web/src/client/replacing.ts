/**
 * Replacing a person's account key, from a device that holds it: durable before the server is told.
 *
 * The other devices stay, each with a leaf credential under the new key; none of them holds it. Loaded when it is needed.
 */

import { type Bytes, equal } from '../codec.ts';
import {
  decodeSignedDeviceList,
  type DeviceList,
  encodeLeafCredential,
  encodeSignedDeviceList,
  leafCredential,
  signDeviceList,
  verifyDeviceList,
  verifyLeaf,
} from '../credential.ts';
import { RefusedError, VerificationError } from '../errors.ts';
import type { DeviceUri } from '../ids.ts';
import { signer } from '../signature.ts';
import { decodeSuccession, encodeSuccession, succeed, type Succession } from '../succession.ts';
import type { Device } from './device.ts';
import { changed, type KeyPair, makeKey, signedList } from './identity.ts';
import type { Identity, Replacing } from './records.ts';
import type { Store } from './store.ts';

/**
 * A fresh account key in the place of that of `listed`, without the devices `removed`, is durable, and not yet published.
 *
 * The recovery key vouches for it; for somebody without one, the former account key does. Throws `RefusedError`
 * `not_allowed`: `recovery` is not the person's.
 */
export async function replaceKey(
  store: Store,
  identity: Identity,
  listed: DeviceList,
  removed: readonly DeviceUri[],
  recovery: KeyPair | null,
): Promise<Replacing> {
  const needed = listed.recoveryKey.length > 0;
  if (needed && (recovery === null || !equal(recovery.publicKey, listed.recoveryKey))) {
    throw new RefusedError('not_allowed');
  }
  const vouching = needed && recovery !== null ? recovery.privateKey : store.key('account');
  const fresh = await makeKey();
  const formerList = await signedList(store, listed);
  const succession = await succeed(listed, formerList, fresh.publicKey, signer(vouching));
  return put(store, identity, listed, removed, succession, fresh.privateKey);
}

/** The same again after `listed`, which another device has published meanwhile under the former key. */
export async function rebuilt(
  store: Store,
  identity: Identity,
  listed: DeviceList,
  { removed, succession }: Replacing,
): Promise<Replacing> {
  const formerList = await signedList(store, listed);
  const follows = { ...decodeSuccession(succession), formerList };
  return put(store, identity, listed, removed, follows, store.key('next_account'));
}

async function put(
  store: Store,
  identity: Identity,
  listed: DeviceList,
  removed: readonly DeviceUri[],
  succession: Succession,
  privateKey: CryptoKey,
): Promise<Replacing> {
  const devices = listed.devices
    .filter(({ uri }) => !removed.includes(uri))
    .map((device) => ({ ...device, maySign: device.uri === identity.device }));
  const { accountKey } = succession;
  const formerKeys = [...listed.formerKeys, listed.accountKey];
  const following: DeviceList = { ...(await changed(listed, devices)), accountKey, formerKeys };
  const sign = signer(privateKey);
  const credentials = await Promise.all(
    devices.map(async ({ uri }) => encodeLeafCredential(await leafCredential(following, uri, sign))),
  );
  const own = devices.findIndex(({ uri }) => uri === identity.device);
  const replacing: Replacing = {
    accountKey,
    removed,
    deviceList: encodeSignedDeviceList(await signDeviceList(following, sign)),
    succession: encodeSuccession(succession),
    credentials,
    credential: credentials[own] ?? new Uint8Array(),
  };
  await store.transaction(() => {
    store.putKey('next_account', privateKey);
    store.replacing.put('', replacing);
  });
  return replacing;
}

/** The account key that this device has replaced is the person's, and its own leaves move to it. */
export function takeAccountKey(device: Device, replacing: Replacing): Promise<void> {
  return device.alone(async () => {
    const { store, trust, identity } = device;
    const { accountKey, credential } = replacing;
    const known = trust.deviceList(identity.user);
    const signed = decodeSignedDeviceList(replacing.deviceList);
    const listed = await verifyDeviceList(signed, identity.user, accountKey, null);
    const formerKeys = known === null ? [] : [...known.formerKeys, known.accountKey];
    const following = { ...stored(device), accountKey, credential };
    await store.transaction(() => {
      store.putKey('account', store.key('next_account'));
      store.dropKey('next_account');
      store.replacing.delete('');
      store.identity.put('', following);
      if (known === null || !equal(known.accountKey, accountKey)) trust.pin({ ...listed, formerKeys });
    });
    device.become(following);
  });
}

/**
 * The person's newest account key is that of `listed`, and this device does not hold it, unless it did.
 *
 * `credential`: of this device's leaves, where another device has replaced the key. Throws `VerificationError` NL-148 for
 * one that is not, and as `verifyLeaf`; `RemoteProtocolError`.
 */
export function followAccountKey(device: Device, listed: DeviceList, credential: Bytes | null): Promise<void> {
  return device.alone(async () => {
    const { store } = device;
    const before = stored(device);
    const { accountKey } = listed;
    if (credential !== null) {
      const leaf = await verifyLeaf(credential, before.signatureKey, listed);
      if (leaf.device !== before.device || !equal(leaf.accountKey, accountKey) || !leaf.listed) {
        throw new VerificationError('NL-148', 'a leaf credential for another device, or under another account key');
      }
    }
    const following = { ...before, accountKey, credential: credential ?? before.credential };
    await store.transaction(() => {
      store.identity.put('', following);
      if (!equal(before.accountKey, accountKey) && store.hasKey('account')) store.dropKey('account');
    });
    device.become(following);
  });
}

/** As it is in the store, registered or not. */
function stored({ store, identity }: Device): Identity {
  return store.identity.get('') ?? identity;
}
