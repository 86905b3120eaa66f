/** The MLS groups of one device, loaded from the store and written back with whatever else a transaction changes. */

import type { CiphersuiteImpl } from 'ts-mls/crypto/ciphersuite.js';

import { type Bytes, utf8 } from '../codec.ts';
import { LocalProtocolError } from '../errors.ts';
import { toHex } from '../hex.ts';
import type { RoomUri } from '../ids.ts';
import { must, MlsError } from '../mls/errors.ts';
import { Group } from '../mls/group.ts';
import { type HeldKeyPackage, makeKeyPackage, type Owner, readWelcome } from '../mls/key-package.ts';
import { makeSuite } from '../mls/suite.ts';
import type { Identity } from './records.ts';
import type { Store } from './store.ts';

const KEPT_LOADED = 32;

/** Groups are kept loaded while the store agrees with them; after a transaction that failed, all are dropped. */
export class Groups {
  readonly suite: CiphersuiteImpl;
  readonly #store: Store;
  #owner: Owner;
  readonly #loaded = new Map<RoomUri, Group>();

  private constructor(suite: CiphersuiteImpl, store: Store, owner: Owner) {
    this.suite = suite;
    this.#store = store;
    this.#owner = owner;
  }

  /** The groups in `store`, none loaded yet. */
  static async open(store: Store, { credential, signatureKey }: Identity): Promise<Groups> {
    return new Groups(await makeSuite(store.key('signature')), store, { credential, signatureKey });
  }

  /** Groups and key packages made from now on carry this credential. */
  setCredential(credential: Bytes): void {
    this.#owner = { ...this.#owner, credential };
  }

  /** A transaction of the store that also writes what changed in the groups. Throws what the store throws. */
  async transaction<Value>(work: () => Value | Promise<Value>): Promise<Value> {
    try {
      const value = await this.#store.transaction(async () => {
        const result = await work();
        for (const [room, group] of this.#loaded) {
          if (group.takeChanged()) this.#store.putGroup(room, group.encode());
        }
        return result;
      });
      for (const room of Array.from(this.#loaded.keys()).slice(0, -KEPT_LOADED)) this.#loaded.delete(room);
      return value;
    } catch (error) {
      this.#loaded.clear(); // what is in memory is ahead of what is on disk
      throw error;
    }
  }

  /** The group of `room`. Inside `transaction`, what is done with it is stored. */
  async get(room: RoomUri): Promise<Group> {
    let group = this.#loaded.get(room);
    if (group === undefined) {
      const stored = await this.#store.group(room);
      if (stored === null) throw new LocalProtocolError('a room without a group');
      group = Group.open(this.suite, stored);
    }
    this.#loaded.delete(room);
    this.#loaded.set(room, group);
    return group;
  }

  /** A new group for `room`, whose record is there, in which this device is alone. Inside `transaction`. */
  async create(room: RoomUri, frankingAgent: Bytes): Promise<Group> {
    const group = await Group.create(this.suite, this.#owner, utf8(room), frankingAgent);
    this.#loaded.set(room, group);
    return group;
  }

  /** The group that `welcome` is for; nothing of it is stored before `put`. Throws `MlsError`. */
  async join(welcome: Bytes): Promise<{ readonly group: Group; readonly keyPackage: HeldKeyPackage }> {
    const keyPackage = readWelcome(welcome)
      .map((reference) => this.#store.keyPackages.get(toHex(reference)))
      .find((held) => held !== null);
    must(keyPackage !== undefined, 'NL-245');
    return { group: await Group.join(this.suite, welcome, keyPackage), keyPackage };
  }

  /** `group`, joined just now with `keyPackage`, is the one of `room`; what was there before is gone. */
  put(room: RoomUri, group: Group, keyPackage: HeldKeyPackage): void {
    this.#loaded.set(room, group);
    if (!keyPackage.lastResort) this.#store.keyPackages.delete(toHex(keyPackage.reference));
  }

  /** There is no group for `room`. Inside `transaction`. */
  delete(room: RoomUri): void {
    this.#loaded.delete(room);
    this.#store.putGroup(room, null);
  }

  /** A fresh key package, to be added from `nowS` on for `lifetimeS`; kept. Inside `transaction`. */
  async makeKeyPackage(nowS: number, lifetimeS: number, lastResort: boolean): Promise<Bytes> {
    const made = await makeKeyPackage(this.suite, this.#owner, nowS, lifetimeS, lastResort);
    this.#store.keyPackages.put(toHex(made.reference), { ...made, notAfterS: nowS + lifetimeS });
    return made.message;
  }
}

/** What a message that `Group.receive` refused is to this group: this machine's clock and a leaf's lifetime disagree. */
export function isClock(error: unknown): boolean {
  return error instanceof MlsError && error.check === 'NL-233';
}
