/** This person's devices, from one that may sign: taking another in, and removing one. */

import type { Bytes } from '../codec.ts';
import type { DeviceList } from '../credential.ts';
import { RefusedError, VerificationError } from '../errors.ts';
import { type DeviceUri, deviceUri, type UserUri } from '../ids.ts';
import { linkMailbox, readLinkCode } from '../linking.ts';
import type { Device } from './device.ts';
import type { Hub } from './hub.ts';
import { changed, type KeyPair, signedList } from './identity.ts';
import { takeIn } from './linking.ts';
import { Lock } from './lock.ts';
import type { Replacing, TakingIn } from './records.ts';
import { rebuilt, replaceKey, takeAccountKey } from './replacing.ts';

/** Another device of the same person may change the list at the same moment, and again. */
const TRIES = 5;

/** How a device list is come by, checked: `Housekeeping`. */
interface Directory {
  learnDevices(user: UserUri): Promise<DeviceList>;
}

/** One change at a time. Every method throws as `Hub` does. */
export class DeviceLinks {
  readonly #device: Device;
  readonly #hub: Hub;
  readonly #directory: Directory;
  readonly #oneAtATime = new Lock();

  constructor(device: Device, hub: Hub, directory: Directory) {
    this.#device = device;
    this.#hub = hub;
    this.#directory = directory;
  }

  /**
   * The device that shows the code `text` is this person's, and has been told. It may not sign: what this browser signs
   * with cannot be read.
   *
   * After `UnavailableError` it may be so, and otherwise is as soon as the server answers. Throws `RefusedError`
   * `not_allowed` (this device may not sign); `RemoteProtocolError` NL-351; `VerificationError` NL-352.
   */
  accept(text: string): Promise<DeviceUri> {
    return this.#oneAtATime.hold(async () => {
      await this.#finish();
      const listed = await this.#ownList();
      const linked = this.#uriOf(text);
      if (listed.devices.some(({ uri }) => uri === linked)) return linked;
      return this.#publish(await this.#takeIn(listed, text));
    });
  }

  /** What an earlier `accept` has begun is done, or given up because its code has expired. */
  finish(): Promise<void> {
    return this.#oneAtATime.hold(() => this.#finish());
  }

  async #finish(): Promise<void> {
    const replacing = this.#device.store.replacing.get('');
    if (replacing !== null) {
      await this.#replace(replacing).catch((error: unknown) => {
        if (!isRefusal(error)) throw error; // it is given up
      });
    }
    const taking = this.#device.store.takingIn.get('');
    if (taking === null) return;
    try {
      await this.#publish(taking);
    } catch (error) {
      if (!isRefusal(error)) throw error; // it is given up
    }
  }

  /** The device is on the newest list, or it is given up and this throws; either way nothing is under way. */
  async #publish(taking: TakingIn): Promise<DeviceUri> {
    try {
      await this.#insist(taking);
    } catch (error) {
      if (isRefusal(error)) await this.#over();
      throw error;
    }
    await this.#over();
    return this.#uriOf(taking.text);
  }

  #over(): Promise<void> {
    return this.#device.alone(() =>
      this.#device.store.transaction(() => {
        this.#device.store.takingIn.delete('');
      }),
    );
  }

  /** `taking` is on the newest list: made anew while this person's other devices change that too. */
  async #insist(taking: TakingIn): Promise<void> {
    const device = this.#uriOf(taking.text);
    const code = readLinkCode(taking.text);
    for (let round = 0; round < TRIES; round += 1) {
      const { deviceList, sealed } = taking;
      const link = { device, sessionKey: code.sessionKey, mailbox: await linkMailbox(code), sealed };
      await unlessStale(this.#hub.publishDeviceList(deviceList, link));
      const listed = await this.#ownList();
      if (listed.devices.some(({ uri }) => uri === device)) return;
      taking = await this.#takeIn(listed, taking.text);
    }
    throw new RefusedError('stale_device_list');
  }

  /**
   * `which`, another device of this person, is signed out and leaves every room.
   *
   * If it held the account key, that is replaced; `recovery` vouches for the new one, where there is a recovery key. Throws
   * `RefusedError` `not_allowed`: this very device, or by one that may not sign, or `recovery` is not the person's.
   */
  remove(which: DeviceUri, recovery: KeyPair | null = null): Promise<void> {
    return this.#oneAtATime.hold(async () => {
      await this.#finish();
      const { identity, store } = this.#device;
      if (which === identity.device || !store.hasKey('account')) throw new RefusedError('not_allowed');
      for (let round = 0; round < TRIES; round += 1) {
        const listed = await this.#ownList();
        const entry = listed.devices.find(({ uri }) => uri === which);
        if (entry === undefined) return;
        if (entry.maySign) {
          const begun = await this.#device.alone(() => replaceKey(store, identity, listed, [which], recovery));
          await this.#replace(begun);
          return;
        }
        const others = listed.devices.filter(({ uri }) => uri !== which);
        await unlessStale(this.#hub.publishDeviceList(await signedList(store, await changed(listed, others))));
      }
      throw new RefusedError('stale_device_list');
    });
  }

  /** The person's recovery key is this one: Ed25519, 32 bytes. Throws `RefusedError` `not_allowed`. */
  setRecoveryKey(recoveryKey: Bytes): Promise<void> {
    return this.#oneAtATime.hold(async () => {
      await this.#finish();
      const { store, trust } = this.#device;
      if (!store.hasKey('account')) throw new RefusedError('not_allowed');
      for (let round = 0; round < TRIES; round += 1) {
        const listed = await this.#ownList();
        const following = { ...(await changed(listed, listed.devices)), recoveryKey };
        try {
          await this.#hub.publishDeviceList(await signedList(store, following));
        } catch (error) {
          if (error instanceof RefusedError && error.problem === 'stale_device_list') continue;
          throw error;
        }
        await this.#device.alone(() =>
          store.transaction(() => {
            trust.pin(following);
          }),
        );
        return;
      }
      throw new RefusedError('stale_device_list');
    });
  }

  /** The account key is replaced, or that is given up and this throws; either way nothing is under way. */
  async #replace(begun: Replacing): Promise<void> {
    try {
      await this.#insistOnKey(begun);
    } catch (error) {
      if (isRefusal(error)) {
        const { store } = this.#device;
        await this.#device.alone(() =>
          store.transaction(() => {
            store.replacing.delete('');
            store.dropKey('next_account');
          }),
        );
      }
      throw error;
    }
  }

  /** `replacing` is what the hub has: made anew while this person's other devices change the list too. */
  async #insistOnKey(replacing: Replacing): Promise<void> {
    const { store, identity } = this.#device;
    for (let round = 0; round < TRIES; round += 1) {
      try {
        await this.#hub.publishAccountKey(replacing);
      } catch (error) {
        if (!(error instanceof RefusedError) || error.problem !== 'stale_device_list') throw error;
        const listed = await this.#ownList();
        const former = replacing;
        replacing = await this.#device.alone(() => rebuilt(store, identity, listed, former));
        continue;
      }
      await takeAccountKey(this.#device, replacing);
      return;
    }
    throw new RefusedError('stale_device_list');
  }

  #takeIn(listed: DeviceList, text: string): Promise<TakingIn> {
    const { store, identity } = this.#device;
    if (!store.hasKey('account')) throw new RefusedError('not_allowed');
    return this.#device.alone(() => takeIn(store, identity, listed, text));
  }

  #uriOf(text: string): DeviceUri {
    return deviceUri(this.#device.identity.user, readLinkCode(text).name);
  }

  #ownList(): Promise<DeviceList> {
    return this.#directory.learnDevices(this.#device.identity.user);
  }
}

/** Another device was faster: what it changed is learnt next. */
async function unlessStale(published: Promise<unknown>): Promise<void> {
  try {
    await published;
  } catch (error) {
    if (!(error instanceof RefusedError) || error.problem !== 'stale_device_list') throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof RefusedError || error instanceof VerificationError;
}
