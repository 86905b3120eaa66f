/** What a person has to be told of keys and devices, and sees until they have seen it; and who is somebody else now. */

import type { PendingRecovery, UserDevices } from '../bodies.ts';
import { equal } from '../codec.ts';
import type { DeviceList } from '../credential.ts';
import { toHex } from '../hex.ts';
import type { TimestampMs, UserUri } from '../ids.ts';
import { type Followed, followAccount } from '../succession.ts';
import type { Device } from './device.ts';
import type { Notice, NoticeKind } from './events.ts';
import { now } from './surroundings.ts';

type Told = readonly [NoticeKind, UserUri, string, TimestampMs | null];

/** What is new of somebody who was known as `known` is told; the application hears of it. */
export function tell(device: Device, { newest, successions }: Followed, known: DeviceList): Promise<void> {
  const { user, recoveryKey } = newest;
  const told = successions.map(({ recovered, accountKey }): Told => {
    return [recovered ? 'recovered' : 'key_replaced', user, toHex(accountKey), null];
  });
  if (user === device.identity.user && !equal(known.recoveryKey, recoveryKey)) {
    told.push(['recovery_key_changed', user, toHex(recoveryKey), null]);
  }
  return keep(device, told);
}

/** Somebody with this person's recovery key waits to make another device theirs. */
export function tellOfRecovery(device: Device, recovery: PendingRecovery): Promise<void> {
  return keep(device, [['recovery_waits', device.identity.user, recovery.device, recovery.readyAtMs]]);
}

/** Whoever says that they are `user` under a key that nobody vouches for can be accepted anew; if `devices` says so. */
export async function meet(device: Device, user: UserUri, devices: UserDevices): Promise<void> {
  const { trust, store } = device;
  const known = trust.deviceList(user);
  if (known === null || devices.user !== user || equal(known.accountKey, devices.accountKey)) return;
  const stranger = { ...devices, successions: [], credential: null, recovery: null };
  if ((await followAccount(stranger, now(), null).catch(() => null)) === null) return;
  await keep(device, [['new_person', user, toHex(stranger.accountKey), null]], () => {
    store.strangers.put(user, stranger);
  });
}

/** The device list of whoever is `user` now, as of somebody never seen; null where nobody waits to be accepted. */
export async function acceptable({ store }: Device, user: UserUri): Promise<DeviceList | null> {
  const devices = store.strangers.get(user);
  return devices && (await followAccount(devices, now(), null)).newest;
}

/** Each is kept once, and told to the application then. */
async function keep(device: Device, told: readonly Told[], also: () => void = () => undefined): Promise<void> {
  const { store } = device;
  const fresh = await device.alone(() =>
    store.transaction(() => {
      also();
      return told.flatMap(([notice, user, about, untilMs]): Notice[] => {
        const key = `${notice} ${user} ${about}`;
        if (store.notices.has(key)) return [];
        const one: Notice = { kind: 'notice', notice, user, about, atMs: now(), untilMs };
        store.notices.put(key, { ...one, seen: false });
        return [one];
      });
    }),
  );
  device.events.push(...fresh);
}
