/**
 * The store as it lies in IndexedDB, and what a browser may do to it: fill up, wipe it, refuse it.
 *
 * Each object store holds a mark from the beginning, so that whoever opens it can tell a new one from one of which a part
 * was wiped: a device that went on with a part of itself would lose messages, or send with keys that it has used.
 */

import { type DBSchema, deleteDB, type IDBPDatabase, openDB } from 'idb';

import type { Bytes } from '../codec.ts';
import { StoreError } from './errors.ts';
import type { MessageKey } from './events.ts';
import { makeSealingKey } from './sealing.ts';

const VERSION = 2;

/**
 * `link`: X25519, of a device that shows a link code; `account`: only of one that may sign; `next_account`: while that is
 * being replaced.
 */
export type KeyName = 'sealing' | 'account' | 'next_account' | 'session' | 'signature' | 'link';

/** How much is left of what is about a message: what a page needs first. */
export const Rank = { stands: 0, goneReaction: 1, gone: 2 } as const;
export type Rank = (typeof Rank)[keyof typeof Rank];

export interface MessageRow {
  /** Room's number, place in the log, place in the store; left out where there is nothing to show. */
  readonly order?: [number, number, number];
  /**
   * Of an edit, a deletion or a reaction: the place in the store of the message that it is about, how much is left of
   * it, its own place.
   */
  readonly about?: [number, Rank, number];
  readonly sealed: Bytes;
}

export interface EvidenceRow {
  /** Left out in the mark. */
  readonly acceptedAtMs?: number;
  readonly sealed: Bytes;
}

export interface Schema extends DBSchema {
  keys: { key: KeyName; value: CryptoKey };
  records: { key: number; value: Bytes };
  groups: { key: number; value: Bytes };
  messages: {
    key: MessageKey;
    value: MessageRow;
    indexes: { order: [number, number, number]; about: [number, Rank, number] };
  };
  evidence: { key: MessageKey; value: EvidenceRow; indexes: { age: number } };
}

export type Database = IDBPDatabase<Schema>;

export const OBJECT_STORES = ['keys', 'records', 'groups', 'messages', 'evidence'] as const;
/** Where the mark of a store with numbered rows is; the other marks are under the empty name. */
export const MARK = 0;

/** The database named `name`, new or whole. `lost` is told if the browser takes it away. Throws `StoreError`. */
export function openDatabase(name: string, lost: () => void): Promise<Database> {
  return explained(async () => {
    const database = await openDB<Schema>(name, VERSION, {
      upgrade(made, version, _, upgrading) {
        if (version < 1) {
          made.createObjectStore('keys');
          made.createObjectStore('records');
          made.createObjectStore('groups');
          made.createObjectStore('messages').createIndex('order', 'order', { unique: true });
          made.createObjectStore('evidence').createIndex('age', 'acceptedAtMs');
        }
        if (version < 2) upgrading.objectStore('messages').createIndex('about', 'about', { unique: true });
      },
      blocking(_current, _blocked, event) {
        (event.target as IDBDatabase).close(); // somebody deletes it
        lost();
      },
      terminated: lost,
    });
    await checkMarks(database);
    return database;
  });
}

async function checkMarks(database: Database): Promise<void> {
  const reading = database.transaction(OBJECT_STORES);
  const marks = await Promise.all([
    reading.objectStore('keys').getKey('sealing'),
    reading.objectStore('records').getKey(MARK),
    reading.objectStore('groups').getKey(MARK),
    reading.objectStore('messages').getKey(''),
    reading.objectStore('evidence').getKey(''),
  ]);
  if (marks.every((mark) => mark !== undefined)) return;
  const counts = await Promise.all(OBJECT_STORES.map((name) => database.count(name)));
  if (counts.some((count) => count > 0)) throw new StoreError('damaged', 'the storage was wiped in part');
  const key = await makeSealingKey();
  const empty: Bytes = new Uint8Array();
  const writing = database.transaction(OBJECT_STORES, 'readwrite', { durability: 'strict' });
  await Promise.all([
    writing.objectStore('keys').put(key, 'sealing'),
    writing.objectStore('records').put(empty, MARK),
    writing.objectStore('groups').put(empty, MARK),
    writing.objectStore('messages').put({ sealed: empty }, ''),
    writing.objectStore('evidence').put({ sealed: empty }, ''),
    writing.done,
  ]);
}

/** The name of the database of files beside the store named `store`. */
export function filesOf(store: string): string {
  return `${store} files`;
}

/** There is no database named `name`. Throws `StoreError`. */
export function eraseDatabase(name: string): Promise<void> {
  return explained(() => deleteDB(name));
}

/** What `work` returns; what the browser's storage throws becomes `StoreError`. */
export async function explained<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    switch (error.name) {
      case 'QuotaExceededError':
        throw new StoreError('full', 'the storage is full');
      case 'OperationError':
      case 'DataError':
        throw new StoreError('damaged', 'a stored row is damaged');
      default:
        throw new StoreError('refused', 'this browser does not let us store anything');
    }
  }
}
