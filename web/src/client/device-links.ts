/** This person's devices, from one that may sign: taking another in, and removing one. */

import type { DeviceList } from '../credential.ts';
import { RefusedError, VerificationError } from '../errors.ts';
import { type DeviceUri, deviceUri, type UserUri } from '../ids.ts';
import { linkMailbox, readLinkCode } from '../linking.ts';
import type { Device } from './device.ts';
import type { Hub } from './hub.ts';
import { changed, signedList } from './identity.ts';
import { takeIn } from './linking.ts';
import { Lock } from './lock.ts';
import type { TakingIn } from './records.ts';

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

  /** `which`, another device of this person, is signed out and leaves every room. Throws `RefusedError` `not_allowed`. */
  remove(which: DeviceUri): Promise<void> {
    return this.#oneAtATime.hold(async () => {
      await this.#finish();
      const { identity, store } = this.#device;
      if (which === identity.device || !store.hasKey('account')) throw new RefusedError('not_allowed');
      for (let round = 0; round < TRIES; round += 1) {
        const listed = await this.#ownList();
        const others = listed.devices.filter(({ uri }) => uri !== which);
        if (others.length === listed.devices.length) return;
        await unlessStale(this.#hub.publishDeviceList(await signedList(store, await changed(listed, others))));
      }
      throw new RefusedError('stale_device_list');
    });
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
