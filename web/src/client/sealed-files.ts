/**
 * Sealed attachments in this browser: the same ciphertext that lies at the hub, in pieces, in a database of its own.
 *
 * What opens them is in the store alone. Each is kept under `sealName`, in which the key takes part; a name tells nothing.
 * They are what a report of an attachment needs.
 */

import { type DBSchema, type IDBPDatabase, openDB } from 'idb';

import { openBlob, type Seal, sealName } from '../attachment.ts';
import { type Bytes, concatAll } from '../codec.ts';
import { VerificationError } from '../errors.ts';
import { explained, filesOf } from './database.ts';
import { now } from './surroundings.ts';

/** Of each piece but the last. */
export const PIECE_BYTES = 2 ** 20;
/** Beyond this, those that were longest not used go; the hub may still have them. */
const KEPT_BYTES = 500_000_000;
const VERSION = 1;

interface Kept {
  /** How much of it is here, from its beginning. */
  readonly bytes: number;
  readonly usedAtMs: number;
}

interface Schema extends DBSchema {
  /** By name. */
  kept: { key: string; value: Kept };
  /** By name and number. */
  pieces: { key: [string, number]; value: Bytes };
}

/** Everything here throws `StoreError`. */
export class SealedFiles {
  readonly #database: Promise<IDBPDatabase<Schema>>;

  constructor(store: string) {
    this.#database = explained(() =>
      openDB<Schema>(filesOf(store), VERSION, {
        upgrade(made) {
          made.createObjectStore('kept');
          made.createObjectStore('pieces');
        },
        blocking(_current, _blocked, event) {
          (event.target as IDBDatabase).close();
        },
      }),
    );
    this.#database.catch(() => undefined); // whoever uses it is told
  }

  async close(): Promise<void> {
    await this.#database.then(
      (database) => {
        database.close();
      },
      () => undefined,
    );
  }

  /** How much of it is here, from its beginning. */
  async received(seal: Seal): Promise<number> {
    const name = await sealName(seal);
    return explained(async () => (await (await this.#database).get('kept', name))?.bytes ?? 0);
  }

  /** What is here goes on with `data`, which begins at a piece's beginning. */
  async append(seal: Seal, offset: number, data: Bytes): Promise<void> {
    const name = await sealName(seal);
    await explained(async () => {
      const writing = (await this.#database).transaction(['kept', 'pieces'], 'readwrite');
      const work: Promise<unknown>[] = [writing.done];
      for (let at = 0; at < data.length; at += PIECE_BYTES) {
        const number = (offset + at) / PIECE_BYTES;
        work.push(writing.objectStore('pieces').put(data.slice(at, at + PIECE_BYTES), [name, number]));
      }
      work.push(writing.objectStore('kept').put({ bytes: offset + data.length, usedAtMs: now() }, name));
      await Promise.all(work);
    });
  }

  /** The bytes from `offset`, the beginning of a piece, and at most `length`, whole pieces. */
  async read(seal: Seal, offset: number, length: number): Promise<Bytes> {
    const name = await sealName(seal);
    const first = offset / PIECE_BYTES;
    const last = (offset + length) / PIECE_BYTES;
    return explained(async () => {
      const range = IDBKeyRange.bound([name, first], [name, last], false, true);
      return concatAll(await (await this.#database).getAll('pieces', range));
    });
  }

  /** The opened attachment, if all of it is here. One that fails a check goes. Throws `VerificationError`. */
  async open(seal: Seal): Promise<Bytes | null> {
    if ((await this.received(seal)) < seal.size) return null;
    try {
      const plain = await openBlob(seal, await this.read(seal, 0, seal.size));
      await this.#touch(seal);
      return plain;
    } catch (error) {
      if (error instanceof VerificationError) await this.forget(seal);
      throw error;
    }
  }

  async #touch(seal: Seal): Promise<void> {
    const name = await sealName(seal);
    await explained(async () => (await this.#database).put('kept', { bytes: seal.size, usedAtMs: now() }, name));
  }

  /** Nothing of it is here. */
  async forget(seal: Seal): Promise<void> {
    await this.#delete(await sealName(seal));
  }

  async #delete(name: string): Promise<void> {
    await explained(async () => {
      const writing = (await this.#database).transaction(['kept', 'pieces'], 'readwrite');
      const pieces = IDBKeyRange.bound([name], [name, Infinity]);
      await Promise.all([
        writing.objectStore('kept').delete(name),
        writing.objectStore('pieces').delete(pieces),
        writing.done,
      ]);
    });
  }

  /** No more is kept than there is room for, but for those `wanted`, by their names. */
  async trim(wanted: ReadonlySet<string>, room = KEPT_BYTES): Promise<void> {
    const database = await explained(() => this.#database);
    const names = await explained(() => database.getAllKeys('kept'));
    const rows = await explained(() => database.getAll('kept'));
    const kept = names.map((name, at) => ({ name, bytes: rows[at]?.bytes ?? 0, usedAtMs: rows[at]?.usedAtMs ?? 0 }));
    let total = kept.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { name, bytes } of kept.sort((left, right) => left.usedAtMs - right.usedAtMs)) {
      if (total <= room) return;
      if (wanted.has(name)) continue;
      await this.#delete(name);
      total -= bytes;
    }
  }
}
