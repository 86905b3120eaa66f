/** What a person's devices see to by themselves: each is in every room of the person, and who is gone in none. */

import type { Bytes } from '../codec.ts';
import type { DeviceList } from '../credential.ts';
import { RefusedError } from '../errors.ts';
import { type DeviceUri, type RoomUri, userOf, type UserUri } from '../ids.ts';
import type { Device, Duty } from './device.ts';
import type { Hub } from './hub.ts';
import { FRESH_KEYS } from './records.ts';
import { monotonicMs } from './surroundings.ts';

/** How much longer the next member waits, so that usually one commit is made and not as many as there are members. */
const STAGGER_MS = 2_000;
const LONGEST_STAGGER_MS = 60_000;

/** How device lists and key packages are come by, checked: `Housekeeping`. */
interface Directory {
  learnDevices(user: UserUri): Promise<DeviceList>;
  claim(users: readonly UserUri[], devices: readonly DeviceUri[]): Promise<Bytes[]>;
}

/** The chores return in how many ms they are due again, or null. */
export class Tending {
  readonly #device: Device;
  readonly #hub: Hub;
  readonly #directory: Directory;
  readonly #noticedMs = new Map<RoomUri, number>();

  constructor(device: Device, hub: Hub, directory: Directory) {
    this.#device = device;
    this.#hub = hub;
    this.#directory = directory;
  }

  /** Where it is this device's turn, removed devices go and this person's new ones come. */
  async rooms(): Promise<number | null> {
    const rooms = await this.#hub.rooms();
    const revoked = rooms.flatMap(({ members }) => members.filter((member) => member.revoked));
    for (const user of new Set(revoked.map(({ device }) => userOf(device)))) await this.#directory.learnDevices(user);
    return this.#tend(
      new Map(rooms.map(({ room, members }) => [room, members.filter(({ lost }) => lost).map(({ device }) => device)])),
    );
  }

  /** Where somebody has left, and it is this device's turn, their leaves go. The server is not asked. */
  async departures(): Promise<number | null> {
    return this.#tend(new Map(this.#device.leftBehind().map((room) => [room, []])));
  }

  /** `rooms`: those to look at, with the devices that cannot go on there. */
  async #tend(rooms: ReadonlyMap<RoomUri, readonly DeviceUri[]>): Promise<number | null> {
    const dueMs: number[] = [];
    for (const [room, asking] of rooms) {
      const duty = await this.#device.duty(room, asking);
      if (duty === null) {
        this.#noticedMs.delete(room);
        continue;
      }
      const waitMs = this.#waitMs(room, duty);
      if (waitMs > 0) dueMs.push(waitMs);
      else await this.#do(room, duty);
    }
    return dueMs.length > 0 ? Math.min(...dueMs) : null;
  }

  #waitMs(room: RoomUri, { rank }: Duty): number {
    const nowMs = monotonicMs();
    const noticedMs = this.#noticedMs.get(room) ?? nowMs;
    this.#noticedMs.set(room, noticedMs);
    return noticedMs + Math.min(rank * STAGGER_MS, LONGEST_STAGGER_MS) - nowMs;
  }

  async #do(room: RoomUri, { owed, missing, lost }: Duty): Promise<void> {
    if (owed.length > 0) await this.#device.changeRoom(room, { ...FRESH_KEYS, drop: owed });
    const add = await this.#claim(missing);
    if (add.length > 0) await this.#device.changeRoom(room, { ...FRESH_KEYS, add });
    const renew = await this.#claim(lost);
    if (renew.length > 0) await this.#device.changeRoom(room, { ...FRESH_KEYS, renew });
  }

  /** Those of their key packages that there are; a device that has none wakes us when it has. */
  async #claim(wanted: readonly DeviceUri[]): Promise<Bytes[]> {
    const packages: Bytes[] = [];
    for (const user of new Set(wanted.map(userOf))) {
      const theirs = wanted.filter((device) => userOf(device) === user);
      try {
        packages.push(...(await this.#directory.claim([user], theirs)));
      } catch (error) {
        if (!(error instanceof RefusedError) || error.problem !== 'no_key_package') throw error;
      }
    }
    return packages;
  }
}
