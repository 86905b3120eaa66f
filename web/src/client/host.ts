/** The worker's device, whether its store can be opened or not: what `Api` asks, answered or refused. */

import { Client } from './client.ts';
import { eraseDatabase, filesOf } from './database.ts';
import { StoreError } from './errors.ts';
import type { Event, StorageState } from './events.ts';

type Method = (...args: readonly unknown[]) => Promise<unknown>;

export class Host {
  readonly #store: string;
  readonly #serverUrl: string;
  readonly #tell: (events: Event[]) => void;
  #client: Promise<Client> | null = null;

  /** `store`: the name of the store. */
  constructor(store: string, serverUrl: string, tell: (events: Event[]) => void) {
    this.#store = store;
    this.#serverUrl = serverUrl;
    this.#tell = tell;
  }

  /** The device is opened, if it was not and can be. */
  async start(): Promise<void> {
    await this.#storage();
  }

  /** What `method` of `Api` returns. */
  async call(method: string, args: readonly unknown[]): Promise<unknown> {
    if (method === 'storage') return this.#storage();
    if (method === 'startAnew') return this.#startAnew();
    const client = await this.#open();
    client.check();
    return (client as unknown as Record<string, Method>)[method]?.(...args);
  }

  #open(): Promise<Client> {
    return (this.#client ??= this.#attempt());
  }

  async #attempt(): Promise<Client> {
    try {
      const client = await Client.open(this.#store, this.#serverUrl, this.#tell);
      this.#tell([{ kind: 'device_opened' }]);
      return client;
    } catch (error) {
      this.#client = null; // whoever asks next tries again
      if (error instanceof StoreError) this.#tell([{ kind: 'storage_changed', state: stateAfter(error) }]);
      throw error;
    }
  }

  async #storage(): Promise<StorageState> {
    try {
      return await (await this.#open()).storage();
    } catch (error) {
      if (error instanceof StoreError) return stateAfter(error);
      throw error;
    }
  }

  async #startAnew(): Promise<void> {
    const client = await this.#client?.catch(() => null);
    this.#client = null;
    await client?.close();
    await eraseDatabase(this.#store);
    await eraseDatabase(filesOf(this.#store));
    await this.#open();
  }
}

function stateAfter({ fault }: StoreError): StorageState {
  return fault === 'occupied' ? 'evictable' : fault;
}
