/** What a person's devices see to by themselves: each is in every room of the person, and who is gone in none. */

import type { Bytes } from '../codec.ts';
import { decodeLeafCredential, type DeviceList } from '../credential.ts';
import { RefusedError } from '../errors.ts';
import { type DeviceUri, type RoomUri, userOf, type UserUri } from '../ids.ts';
import type { Device } from './device.ts';
import type { Hub } from './hub.ts';
import { FRESH_KEYS } from './records.ts';
import { monotonicMs } from './surroundings.ts';

/** How much longer the next member waits, so that usually one commit is made and not as many as there are members. */
const STAGGER_MS = 2_000;
const LONGEST_STAGGER_MS = 60_000;

/**
 * What a room needs. `rank`: how many do it before us.
 *
 * `owed` go, this person's `missing` devices come, and who is `lost` comes anew.
 */
interface Duty {
  readonly owed: readonly DeviceUri[];
  readonly missing: readonly DeviceUri[];
  readonly lost: readonly DeviceUri[];
  readonly rank: number;
  /** This device's own leaf is under a former account key. */
  readonly moves: boolean;
}

/** How device lists and key packages are come by, checked: `Housekeeping`. */
interface Directory {
  learnDevices(user: UserUri): Promise<DeviceList>;
  claim(users: readonly UserUri[], devices?: readonly DeviceUri[]): Promise<Bytes[]>;
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
      const duty = await this.#duty(room, asking);
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

  /**
   * What this person's devices, or any member's, have to do in `room` of their own accord.
   *
   * `asking`: devices that cannot go on there.
   */
  #duty(room: RoomUri, asking: readonly DeviceUri[]): Promise<Duty | null> {
    const { groups, identity, outbox, store, trust } = this.#device;
    return this.#device.alone(async () => {
      const listed = trust.deviceList(identity.user);
      const joined = store.rooms.get(room)?.standing === 'joined';
      if (!joined || listed === null || outbox.isChanging(room)) return null;
      const owed = await outbox.owed(room);
      const { members } = await groups.get(room);
      const present = new Set(members.map((leaf) => decodeLeafCredential(leaf.credential).device));
      const missing = listed.devices.map(({ uri }) => uri).filter((uri) => !present.has(uri));
      const lost = asking.filter((device) => !owed.includes(device) && present.has(device));
      const moves = (await outbox.movedCredential(room)) !== null;
      if (owed.length + missing.length + lost.length === 0 && !moves) return null;
      const others = [...owed, ...lost];
      const ours = others.length === 0 || others.some((device) => userOf(device) === identity.user);
      const rank = ours ? await this.#rank(room, identity.user) : 1 + (await this.#rank(room));
      return { owed, missing, lost, rank, moves };
    });
  }

  /** How many leaves of who can commit come before this device's in `room`; of `ofUser` alone if named. */
  async #rank(room: RoomUri, ofUser?: UserUri): Promise<number> {
    let rank = 0;
    const gone = await this.#device.outbox.owed(room);
    for (const leaf of (await this.#device.groups.get(room)).members) {
      const device = decodeLeafCredential(leaf.credential).device;
      if (device === this.#device.identity.device) break;
      if (!gone.includes(device) && (ofUser === undefined || ofUser === userOf(device))) rank += 1;
    }
    return rank;
  }

  #waitMs(room: RoomUri, { rank }: Duty): number {
    const nowMs = monotonicMs();
    const noticedMs = this.#noticedMs.get(room) ?? nowMs;
    this.#noticedMs.set(room, noticedMs);
    return noticedMs + Math.min(rank * STAGGER_MS, LONGEST_STAGGER_MS) - nowMs;
  }

  async #do(room: RoomUri, { owed, missing, lost, moves }: Duty): Promise<void> {
    if (owed.length > 0) {
      const back = await this.#comeBack(room, owed);
      await this.#device.changeRoom(room, { ...FRESH_KEYS, drop: owed, add: back });
    } else if (moves) await this.#device.changeRoom(room, FRESH_KEYS);
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

  /** The participants of `room` who have no device there but those that are `gone`, and are who they were. */
  #leftWithout(room: RoomUri, gone: readonly DeviceUri[]): Promise<UserUri[]> {
    const { groups, store, trust } = this.#device;
    return this.#device.alone(async () => {
      const left = new Set<UserUri>();
      const staying = new Set<UserUri>();
      for (const leaf of (await groups.get(room)).members) {
        const { device } = decodeLeafCredential(leaf.credential);
        if (!gone.includes(device)) staying.add(userOf(device));
        else if ((await trust.checkLeaf(leaf).catch(() => null)) !== null) left.add(userOf(device));
      }
      return (store.rooms.get(room)?.members ?? []).filter((user) => left.has(user) && !staying.has(user));
    });
  }

  /**
   * Key packages of those contacts who have no device left in `room` without `gone`: they recovered.
   *
   * In the same commit, they keep their role. Who cannot be added now is out of the room.
   */
  async #comeBack(room: RoomUri, gone: readonly DeviceUri[]): Promise<Bytes[]> {
    const packages: Bytes[] = [];
    for (const user of await this.#leftWithout(room, gone)) {
      try {
        packages.push(...(await this.#directory.claim([user])));
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
      }
    }
    return packages;
  }
}
