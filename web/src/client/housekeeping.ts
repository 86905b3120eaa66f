/** What a device settles with the server over HTTP: contacts, key packages, device lists, rooms it began. */

import type { ClaimedKeyPackages, Contact, KeyPackageCount, UserDevices } from '../bodies.ts';
import { type Bytes, equal } from '../codec.ts';
import type { DeviceList } from '../credential.ts';
import {
  LocalProtocolError,
  RefusedError,
  RemoteProtocolError,
  UnavailableError,
  VerificationError,
} from '../errors.ts';
import type { FrankingAgent } from '../franking.ts';
import type { DeviceUri, RoomUri, UserUri } from '../ids.ts';
import { MlsError } from '../mls/errors.ts';
import { readKeyPackage } from '../mls/key-package.ts';
import type { DeviceLinks } from './device-links.ts';
import type { Device } from './device.ts';
import { isClock } from './groups.ts';
import type { Hub } from './hub.ts';
import { renewed, signedList } from './identity.ts';
import { HUB } from './inbox.ts';
import { topUp } from './key-packages.ts';
import { Late, loaded } from '../late.ts';
import type { Followed } from '../succession.ts';
import { Lock } from './lock.ts';
import type { Lost } from './records.ts';
import { monotonicMs, now } from './surroundings.ts';
import type { Tending } from './tending.ts';
import { LookUp } from './trust.ts';

/** How long the directory is taken as read; a key that is not in it is asked about at once. */
const DIRECTORY_DAY_MS = 86_400_000;
const LOST_AGAIN_MS = 3_600_000;

/** Every chore may be done at any time, any number of times. All throw as `Hub` does. */
export class Housekeeping {
  readonly #device: Device;
  readonly #hub: Hub;
  readonly #wake: () => void;
  readonly links = new Late(() => this.#loadLinks());
  readonly #tending = new Late(() => this.#loadTending());
  readonly #oneAtATime = new Lock();
  readonly #askingForContacts = new Lock();
  #directoryReadMs = -Infinity;

  /** `wake`: the device has something to tell, whether or not the network has. */
  constructor(device: Device, hub: Hub, wake: () => void) {
    this.#device = device;
    this.#hub = hub;
    this.#wake = wake;
  }

  /** The chore named `what` is done; one that we do not know is none. In how many ms it is due again, or null. */
  do(what: string): Promise<number | null> {
    return this.#oneAtATime.hold(async () => {
      if (what === 'contacts') await this.refreshContacts();
      else if (what === 'key_packages') await this.topUpKeyPackages();
      else if (what === 'devices') return this.#ownDevices();
      else if (what === 'lost') return this.#tellOfLostRooms();
      else if (what === 'departures') return this.#departures();
      else if (what === 'rooms') return this.#rooms();
      else if (what === 'everything_else') await this.#everythingElse();
      return null;
    });
  }

  async #loadLinks(): Promise<DeviceLinks> {
    const { DeviceLinks } = await loaded(import('./keys.ts'));
    return new DeviceLinks(this.#device, this.#hub, this);
  }

  async #loadTending(): Promise<Tending> {
    const { Tending } = await loaded(import('./keys.ts'));
    return new Tending(this.#device, this.#hub, this);
  }

  /** Where somebody has left, and it is this device's turn, their leaves go. */
  async #departures(): Promise<number | null> {
    return this.#device.leftBehind().length > 0 ? (await this.#tending.get()).departures() : null;
  }

  /** Where it is this device's turn, removed devices go and this person's new ones come. */
  async #rooms(): Promise<number | null> {
    return (await this.#tending.get()).rooms();
  }

  /** This person's newest device list is known, and their rooms are tended if there are several devices. */
  async #ownDevices(): Promise<number | null> {
    const { store, identity } = this.#device;
    const begun = store.takingIn.get('') !== null || store.replacing.get('') !== null;
    if (begun) await (await this.links.get()).finish();
    const listed = await this.learnDevices(identity.user);
    if (listed.formerKeys.length > 0) await this.topUpKeyPackages(); // those under the former key are gone
    return listed.devices.length > 1 || listed.formerKeys.length > 0 ? this.#rooms() : null;
  }

  async #everythingElse(): Promise<void> {
    const device = this.#device;
    await this.#write(() => {
      device.store.purgeEvidence(now());
    });
    if (monotonicMs() - this.#directoryReadMs >= DIRECTORY_DAY_MS) await this.refreshDirectory();
    await this.#renewDeviceList();
    for (const room of device.createdRooms()) await this.announceRoom(room);
  }

  #write<Value>(work: () => Value | Promise<Value>): Promise<Value> {
    return this.#device.alone(() => this.#device.store.transaction(work));
  }

  // --- people

  /** The contacts are what the server says, and the application hears of what has changed. */
  async refreshContacts(): Promise<Contact[]> {
    // One at a time, so that no answer is older than the one before it.
    const contacts = await this.#askingForContacts.hold(() => this.#hub.contacts());
    const { store, events } = this.#device;
    const before = new Map(store.contacts.values().map((contact) => [contact.user, contact.state]));
    const after = new Map(contacts.map((contact) => [contact.user, contact.state]));
    const users = Array.from(new Set([...before.keys(), ...after.keys()])).sort();
    const changed = users.filter((user) => before.get(user) !== after.get(user));
    if (changed.length > 0) {
      await this.#write(() => {
        store.putContacts(contacts);
      });
    }
    for (const user of changed) events.push({ kind: 'contact_changed', user, state: after.get(user) ?? null });
    for (const { user, successions } of contacts) {
      const known = this.#device.trust.deviceList(user);
      if (known === null || successions <= known.formerKeys.length) continue;
      await this.learnDevices(user).catch((error: unknown) => {
        if (!isRefusal(error)) throw error; // recorded where it was found
      });
    }
    return contacts;
  }

  /**
   * The newest device list of `user` is pinned. Throws `VerificationError`, having recorded the fault.
   *
   * `fresh`: as for `Trust.verify`; needless to judge what others have done already, since a clock that is wrong here
   * would then end rooms that are in order.
   */
  async learnDevices(user: UserUri, fresh = true): Promise<DeviceList> {
    return this.#pin(user, await this.#hub.deviceList(user), fresh);
  }

  async #pin(user: UserUri, devices: UserDevices, fresh = true): Promise<DeviceList> {
    const { trust, identity } = this.#device;
    try {
      const followed = await trust.verify(user, devices, fresh);
      await this.#take(followed);
      if (user === identity.user) await this.#followOwn(followed.newest, devices);
      return followed.newest;
    } catch (error) {
      if (error instanceof RemoteProtocolError || error instanceof VerificationError) {
        const known = trust.deviceList(user);
        if (known !== null && !equal(known.accountKey, devices.accountKey)) {
          await (await loaded(import('./keys.ts'))).meet(this.#device, user, devices);
        }
        await this.#recordFault(error.check, user);
      }
      throw error;
    }
  }

  /** Our own account key may be another now, and our leaves' credential with it. */
  async #followOwn(listed: DeviceList, { credential, recovery }: UserDevices): Promise<void> {
    const { identity } = this.#device;
    if (recovery !== null) await (await loaded(import('./keys.ts'))).tellOfRecovery(this.#device, recovery);
    const fresh = credential !== null && !equal(credential, identity.credential) ? credential : null;
    if (fresh === null && equal(identity.accountKey, listed.accountKey)) return;
    const { followAccountKey } = await loaded(import('./keys.ts'));
    await followAccountKey(this.#device, listed, fresh);
  }

  /**
   * The list is pinned. What it says of keys is kept to be told before that, so that no crash hides it.
   */
  async #take(followed: Followed): Promise<void> {
    const { trust, store, identity } = this.#device;
    const { newest, successions } = followed;
    const { user } = newest;
    const known = trust.deviceList(user);
    const recovery = user === identity.user && known !== null && !equal(known.recoveryKey, newest.recoveryKey);
    if (known !== null && (successions.length > 0 || recovery)) {
      await (await loaded(import('./keys.ts'))).tell(this.#device, followed, known);
    }
    await this.#write(() => {
      store.strangers.delete(user);
      trust.pin(newest);
    });
  }

  async #recordFault(check: string, culprit: string): Promise<void> {
    await this.#device.recordFault(null, check, culprit);
    this.#wake();
  }

  /** The hub's franking keys are pinned. */
  async refreshDirectory(): Promise<void> {
    this.#directoryReadMs = monotonicMs();
    const directory = await this.#hub.directory();
    await this.#write(() => {
      this.#device.store.directory.put('', directory);
    });
  }

  /** Who franks in a new room. */
  async frankingAgent(): Promise<FrankingAgent> {
    const { trust } = this.#device;
    try {
      trust.directory();
    } catch (error) {
      if (!(error instanceof LookUp)) throw error;
      await this.refreshDirectory();
    }
    const { hub, frankingKeys } = trust.directory();
    const [key] = frankingKeys;
    if (key === undefined) throw new RemoteProtocolError('NL-541', 'a directory without franking keys');
    return { key, hub };
  }

  async #renewDeviceList(): Promise<void> {
    const { identity, trust, store } = this.#device;
    const listed = trust.deviceList(identity.user);
    if (listed === null) throw new LocalProtocolError('a device without its own device list');
    if (!store.hasKey('account')) return;
    const following = await renewed(listed);
    if (following === null) return;
    try {
      await this.#hub.publishDeviceList(await signedList(store, following));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      await this.learnDevices(identity.user); // an earlier answer was lost: the hub has a newer one of ours
      return;
    }
    await this.#write(() => {
      trust.pin(following);
    });
  }

  // --- rooms

  /** The server has enough key packages of this device. */
  async topUpKeyPackages(): Promise<void> {
    await this.publishKeyPackages(await this.#hub.countKeyPackages());
  }

  /** The server, which has `held`, has enough key packages of this device. */
  async publishKeyPackages(held: KeyPackageCount): Promise<void> {
    const { store, groups } = this.#device;
    const upload = await this.#device.alone(() => topUp(store, groups, held));
    if (upload === null) return;
    const settle = (): Promise<void> =>
      this.#write(() => {
        store.offered.delete('');
      });
    try {
      await this.#hub.publishKeyPackages(upload);
    } catch (error) {
      if (error instanceof RefusedError) await settle();
      throw error;
    }
    await settle();
  }

  /** The others in rooms that cannot go on here know; of one room they hear once an hour at most. */
  async #tellOfLostRooms(): Promise<number | null> {
    const { store } = this.#device;
    const dueMs: number[] = [];
    for (const { room, standing, lost } of store.rooms.values()) {
      if (standing !== 'broken' || lost === undefined || lost.toldSeq === lost.seq) continue;
      const nowMs = now();
      if (lost.toldAtMs !== null && lost.toldAtMs <= nowMs && nowMs < lost.toldAtMs + LOST_AGAIN_MS) {
        dueMs.push(lost.toldAtMs + LOST_AGAIN_MS - nowMs);
        continue;
      }
      // Where the hub showed us what it does not have, the others can still help.
      const heard = await this.#isHeard(room, lost);
      if (!heard && lost.digest !== null) await this.#isHeard(room, { ...lost, digest: null });
      await this.#write(() => {
        const record = store.rooms.get(room);
        if (record?.lost === undefined) return;
        store.rooms.put(room, { ...record, lost: { ...record.lost, toldSeq: lost.seq, toldAtMs: nowMs } });
      });
    }
    return dueMs.length > 0 ? Math.min(...dueMs) : null;
  }

  async #isHeard(room: RoomUri, lost: Lost): Promise<boolean> {
    try {
      await this.#hub.sayUnusable(room, lost);
      return true;
    } catch (error) {
      if (error instanceof RefusedError) return false;
      throw error;
    }
  }

  /** The hub knows a room that was created here; or it will not have it, and this device has left it. */
  async announceRoom(room: RoomUri): Promise<void> {
    try {
      await this.#hub.createRoom(room, await this.#device.groupInfo(room));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      if (error.problem === 'unauthenticated') throw new UnavailableError('the server does not know who this is');
      if (error.problem !== 'conflict' || !(await this.#isMine(room))) {
        await this.#device.roomRefused(room);
        throw error;
      }
    }
    await this.#device.roomAnnounced(room);
  }

  /** Whether the hub has the room from us already: its answer was lost. */
  async #isMine(room: RoomUri): Promise<boolean> {
    try {
      await this.#hub.room(room);
      return true;
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      if (error.problem !== 'not_found') throw new UnavailableError('the server does not tell whose room it is');
      return false;
    }
  }

  /**
   * A key package of each device of `users` that has any, or of `devices` alone, each of them checked.
   *
   * Throws `VerificationError` as `learnDevices`; NL-322 and NL-532, having recorded the fault.
   */
  async claim(users: readonly UserUri[], devices: readonly DeviceUri[] | null = null): Promise<Bytes[]> {
    const packages: Bytes[] = [];
    for (const user of users) {
      const claimed = await this.#hub.claimKeyPackages(user, devices);
      const listed = await this.#pin(user, claimed.devices);
      try {
        await this.#checkClaimed(claimed, listed);
      } catch (caught) {
        // A list that is too old came together with the key packages.
        const error = caught instanceof LookUp ? new VerificationError('NL-322', 'a newer device list') : caught;
        if (!(
          error instanceof MlsError ||
          error instanceof RemoteProtocolError ||
          error instanceof VerificationError
        )) {
          throw error;
        }
        if (isClock(error)) throw new UnavailableError("this machine's clock is wrong");
        await this.#recordFault(error.check, HUB);
        throw error instanceof MlsError ? new VerificationError(error.check, error.message) : error;
      }
      packages.push(...claimed.keyPackages);
    }
    return packages;
  }

  async #checkClaimed(claimed: ClaimedKeyPackages, listed: DeviceList): Promise<void> {
    const claimedFor = new Set<DeviceUri>();
    for (const message of claimed.keyPackages) {
      const keyPackage = await readKeyPackage(message, this.#device.groups.suite);
      const leaf = await this.#device.trust.checkLeaf(keyPackage);
      if (leaf.listed && leaf.user === listed.user) claimedFor.add(leaf.device);
    }
    if (claimedFor.size === 0 || claimedFor.size !== claimed.keyPackages.length) {
      throw new VerificationError('NL-532', 'no key package, or one of no device on the list, or of one again');
    }
  }
}

function isRefusal(error: unknown): boolean {
  const refused = error instanceof RefusedError || error instanceof RemoteProtocolError;
  return refused || error instanceof VerificationError;
}
