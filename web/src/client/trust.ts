/** Whom this device believes: each person's account key and newest device list, and the hub's franking keys. */

import type { Directory, UserDevices } from '../bodies.ts';
import { type Bytes, equal } from '../codec.ts';
import type { ContactCode } from '../contact-code.ts';
import {
  decodeLeafCredential,
  decodeSignedDeviceList,
  type DeviceList,
  type Leaf,
  verifyDeviceList,
  verifyLeaf,
} from '../credential.ts';
import { VerificationError } from '../errors.ts';
import type { FrankingAgent } from '../franking.ts';
import { toHex } from '../hex.ts';
import { type TimestampMs, type UserUri, userOf } from '../ids.ts';
import { loaded } from '../late.ts';
import type { Followed } from '../succession.ts';
import type { Store } from './store.ts';

/** What the server was asked before some entries are judged: these users' device lists, and the directory. */
export interface Asked {
  readonly users: ReadonlySet<UserUri>;
  readonly directory: boolean;
}

export const NOTHING_ASKED: Asked = { users: new Set(), directory: false };

/** Something cannot be judged before the server is asked: these users' device lists, or the directory. */
export class LookUp extends Error implements Asked {
  override readonly name = 'LookUp';
  readonly users: ReadonlySet<UserUri>;
  readonly directory: boolean;

  constructor(users: Iterable<UserUri>, directory = false) {
    super('ask the server first');
    this.users = new Set(users);
    this.directory = directory;
  }

  /** Whether all of it was `asked` already. */
  isCovered(asked: Asked): boolean {
    return Array.from(this.users).every((user) => asked.users.has(user)) && (asked.directory || !this.directory);
  }

  /** `asked`, and this. */
  with(asked: Asked): Asked {
    return { users: new Set([...asked.users, ...this.users]), directory: asked.directory || this.directory };
  }
}

/** A leaf of a group, or a key package: whose is it? */
export interface Unknown {
  readonly credential: Bytes;
  readonly signatureKey: Bytes;
}

/** What is pinned in the store. It only ever moves forward. */
export class Trust {
  readonly #store: Store;
  readonly #clock: () => TimestampMs;
  #leaves = new Map<string, Leaf>();
  #generation = 0;

  constructor(store: Store, clock: () => TimestampMs) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Changes with every list that is pinned. */
  get generation(): number {
    return this.#generation;
  }

  /** The newest device list known of `user`. */
  deviceList(user: UserUri): DeviceList | null {
    const stored = this.#store.pins.get(user);
    // CBOR has one kind of integer.
    return stored && { ...stored, version: BigInt(stored.version), expiresAtMs: BigInt(stored.expiresAtMs) };
  }

  /**
   * The device list that the server gave for `user`, verified, to be pinned; and what led to its account key, if that is
   * another than before. `fresh`: it must hold now, by this browser's clock.
   *
   * Throws what `followAccount` does (of a new person), and `VerificationError`: NL-531 when it is the list of
   * somebody else, NL-533 when their contact code says another account key.
   */
  async verify(user: UserUri, devices: UserDevices, fresh: boolean): Promise<Followed> {
    if (devices.user !== user) throw new VerificationError('NL-531', 'the device list of somebody else');
    const followed = await this.#follow(devices, this.deviceList(user), fresh ? this.#clock() : null);
    checkKey(followed.newest, this.#store.codes.get(user));
    return followed;
  }

  /** What leads from one account key to another is read by what is loaded where there is something to read. */
  async #follow(devices: UserDevices, known: DeviceList | null, nowMs: TimestampMs | null): Promise<Followed> {
    const { user, accountKey, successions } = devices;
    if (known === null ? successions.length === 0 : equal(known.accountKey, accountKey)) {
      const signed = decodeSignedDeviceList(devices.deviceList);
      return { newest: await verifyDeviceList(signed, user, accountKey, nowMs, known), successions: [] };
    }
    const { followAccount } = await loaded(import('./keys.ts'));
    return followAccount(devices, nowMs, known);
  }

  /**
   * No other account key than that of the code is believed of its user; a later code replaces it. Inside a transaction.
   *
   * Throws `VerificationError` NL-533 when another is pinned already.
   */
  expect({ user, accountKey }: ContactCode): void {
    const known = this.deviceList(user);
    if (known !== null) checkKey(known, accountKey);
    this.#store.codes.put(user, accountKey);
  }

  /** `newest`, verified or our own, is pinned. Inside a transaction. */
  pin(newest: DeviceList): void {
    this.#store.pins.put(newest.user, newest);
    this.#generation += 1;
    this.#leaves = new Map(Array.from(this.#leaves).filter(([, leaf]) => leaf.user !== newest.user));
  }

  /**
   * The device that this leaf is, or will be, on the newest list we know.
   *
   * Throws `LookUp` when that list may be too old, `RemoteProtocolError` and `VerificationError` as `verifyLeaf`.
   */
  async checkLeaf({ credential, signatureKey }: Unknown): Promise<Leaf> {
    const key = `${toHex(credential)} ${toHex(signatureKey)}`;
    const known = this.#leaves.get(key);
    if (known !== undefined) return known;
    const { device, listVersion } = decodeLeafCredential(credential);
    const user = userOf(device);
    const newest = this.deviceList(user);
    if (newest === null || listVersion > newest.version) throw new LookUp([user]);
    const leaf = await verifyLeaf(credential, signatureKey, newest);
    this.#leaves.set(key, leaf);
    return leaf;
  }

  /** The hub's directory as last seen. Throws `LookUp`. */
  directory(): Directory {
    const directory = this.#store.directory.get('');
    if (directory === null) throw new LookUp([], true);
    return directory;
  }

  /** The hub's directory has this franking agent. `asked`: it is fresh. Throws `LookUp`; `VerificationError` NL-521. */
  checkAgent(agent: FrankingAgent, asked: boolean): void {
    const directory = this.directory();
    if (agent.hub === directory.hub && directory.frankingKeys.some((key) => equal(key, agent.key))) return;
    if (!asked) throw new LookUp([], true);
    throw new VerificationError('NL-521', "a franking key that is not in the hub's directory");
  }
}

function checkKey(newest: DeviceList, expected: Bytes | null): void {
  if (expected !== null && ![newest.accountKey, ...newest.formerKeys].some((key) => equal(key, expected))) {
    throw new VerificationError('NL-533', 'another account key than that of the contact code');
  }
}
