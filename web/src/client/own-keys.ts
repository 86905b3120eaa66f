/** What a person does about keys: their own, and those of others whom they have made sure of. Loaded when it is needed. */

import type { PendingRecovery } from '../bodies.ts';
import { equal } from '../codec.ts';
import { decodeLeafCredential } from '../credential.ts';
import { RefusedError } from '../errors.ts';
import type { DeviceUri, UserUri } from '../ids.ts';
import { safetyNumber } from '../safety-number.ts';
import type { Connection } from './connection.ts';
import type { DeviceLinks } from './device-links.ts';
import type { Device, RoomsOfDevice } from './device.ts';
import type { Notice } from './events.ts';
import { acceptable } from './keys-told.ts';
import { makeRecoveryKey, removeByWords } from './recovery.ts';

/** As `Api` says of each. */
export class OwnKeys {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get #device(): Device {
    return this.#connection.device;
  }

  get #links(): Promise<DeviceLinks> {
    return this.#connection.housekeeping.links.get();
  }

  async acceptDevice(text: string): Promise<DeviceUri> {
    const device = await (await this.#links).accept(text);
    this.#connection.chore('devices');
    return device;
  }

  async removeDevice(device: DeviceUri, words: string | null): Promise<void> {
    const links = await this.#links;
    if (words === null) await links.remove(device);
    else await removeByWords(links, device, words);
    this.#connection.chore('devices');
  }

  roomsOf(which: DeviceUri): Promise<RoomsOfDevice> {
    const { groups, store } = this.#device;
    return this.#device.alone(async () => {
      const rooms = store.rooms.values().filter((record) => record.standing === 'joined');
      let there = 0;
      for (const { room } of rooms) {
        const { members } = await groups.get(room);
        if (members.some((leaf) => decodeLeafCredential(leaf.credential).device === which)) there += 1;
      }
      return { there, rooms: rooms.length };
    });
  }

  hasRecoveryKey(): boolean {
    const { trust, identity } = this.#device;
    return (trust.deviceList(identity.user)?.recoveryKey.length ?? 0) > 0;
  }

  async makeRecoveryKey(): Promise<string> {
    return makeRecoveryKey(await this.#links);
  }

  async waitingRecovery(): Promise<PendingRecovery | null> {
    return (await this.#connection.hub.deviceList(this.#device.identity.user)).recovery;
  }

  notices(unseen: boolean): Notice[] {
    const records = this.#device.store.notices.values().filter(({ seen }) => !unseen || !seen);
    return records.map(({ notice, user, about, atMs, untilMs }) => {
      return { kind: 'notice', notice, user, about, atMs, untilMs };
    });
  }

  seeNotices(): Promise<void> {
    return this.#write(() => {
      const { notices } = this.#device.store;
      for (const key of notices.keys()) {
        const notice = notices.get(key);
        if (notice !== null) notices.put(key, { ...notice, seen: true });
      }
    });
  }

  async safetyNumber(user: UserUri): Promise<string> {
    const { trust, identity } = this.#device;
    const theirs = trust.deviceList(user) ?? (await this.#connection.housekeeping.learnDevices(user));
    const mine = { user: identity.user, accountKey: identity.accountKey };
    return safetyNumber(mine, { user, accountKey: theirs.accountKey });
  }

  compare(user: UserUri): Promise<void> {
    return this.#write(() => {
      const known = this.#device.trust.deviceList(user);
      if (known === null) throw new RefusedError('not_found');
      this.#device.store.compared.put(user, known.accountKey);
    });
  }

  isCompared(user: UserUri): boolean {
    const compared = this.#device.store.compared.get(user);
    const known = this.#device.trust.deviceList(user);
    return compared !== null && known !== null && equal(compared, known.accountKey);
  }

  strangers(): UserUri[] {
    return this.#device.store.strangers.keys() as UserUri[];
  }

  async acceptAnew(user: UserUri): Promise<void> {
    const { store, trust } = this.#device;
    const newest = await acceptable(this.#device, user);
    if (newest === null) throw new RefusedError('not_found');
    await this.#write(() => {
      store.strangers.delete(user);
      store.codes.delete(user);
      trust.pin(newest);
    });
  }

  #write(work: () => void): Promise<void> {
    return this.#device.alone(() => this.#device.store.transaction(work));
  }
}
