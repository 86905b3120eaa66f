/** Lets one piece of work at a time be under way, in the order in which they came. */
export class Lock {
  #last: Promise<unknown> = Promise.resolve();

  /** What `work` returns, once everything before it is done. */
  hold<Value>(work: () => Value | Promise<Value>): Promise<Value> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
