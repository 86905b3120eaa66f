/** A table of the store that is in memory as a whole: rows under names, in the order in which they were first put. */

import { LocalProtocolError } from '../errors.ts';

/** A row that a transaction changes. `row`: table, key and value; null when it is gone. */
export interface RowChange {
  readonly id: number;
  readonly row: readonly [string, string, unknown] | null;
}

interface Row<Value> {
  readonly id: number;
  readonly value: Value;
}

export class Table<Value> {
  readonly name: string;
  #rows = new Map<string, Row<Value>>();
  /** What the transaction under way has put (or, null, deleted); without one, null. */
  #changed: Map<string, { readonly value: Value } | null> | null = null;
  #ids = new Map<string, number>();

  constructor(name: string) {
    this.name = name;
  }

  /** The stored row is this. Rows come in the order of their ids. */
  load(id: number, key: string, value: unknown): void {
    this.#rows.set(key, { id, value: value as Value });
  }

  get(key: string): Value | null {
    const changed = this.#changed?.get(key);
    return changed === undefined ? (this.#rows.get(key)?.value ?? null) : (changed?.value ?? null);
  }

  has(key: string): boolean {
    return this.get(key) !== null;
  }

  keys(): string[] {
    const gone = (key: string): boolean => this.#changed?.get(key) === null;
    const added = Array.from(this.#changed?.keys() ?? []).filter((key) => !this.#rows.has(key));
    return [...this.#rows.keys(), ...added].filter((key) => !gone(key));
  }

  values(): Value[] {
    return this.keys().map((key) => this.get(key) as Value);
  }

  /** Inside a transaction. */
  put(key: string, value: Value): void {
    this.#open.set(key, { value });
  }

  /** Inside a transaction. */
  delete(key: string): void {
    if (this.#rows.has(key)) this.#open.set(key, null);
    else this.#open.delete(key);
  }

  /** The number of the row that is under `key` now, or is being put there. */
  idOf(key: string): number | null {
    return this.#ids.get(key) ?? this.#rows.get(key)?.id ?? null;
  }

  get #open(): Map<string, { readonly value: Value } | null> {
    if (this.#changed === null) throw new LocalProtocolError('a write outside a transaction');
    return this.#changed;
  }

  // --- for the store

  begin(): void {
    this.#changed = new Map();
  }

  /** What the transaction writes; `newId` numbers new rows. */
  changes(newId: () => number): RowChange[] {
    return Array.from(this.#open, ([key, changed]) => {
      const id = this.idOf(key) ?? newId();
      this.#ids.set(key, id);
      return { id, row: changed && ([this.name, key, changed.value] as const) };
    });
  }

  end(committed: boolean): void {
    if (committed) {
      for (const [key, changed] of this.#open) {
        const id = this.idOf(key);
        if (changed === null || id === null) this.#rows.delete(key);
        else this.#rows.set(key, { id, value: changed.value });
      }
    }
    this.#ids.clear();
    this.#changed = null;
  }
}
