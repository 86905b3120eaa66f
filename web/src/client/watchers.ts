/** Who waits for what happens on a device: the reader of events, and callers that wait for one submission. */

import type { Event } from './events.ts';

interface Expected {
  readonly promise: Promise<void>;
  readonly settle: (error: Error | null) => void;
}

export class Watchers {
  /** Tells the application of events. */
  readonly tell: (events: Event[]) => void;
  readonly #expected = new Map<string, Expected>();
  #ended: Error | null = null;

  constructor(tell: (events: Event[]) => void) {
    this.tell = tell;
  }

  /** Returns once `settle` is called for `subject`, a message or submission id; throws what it is given. */
  expect(subject: string): Promise<void> {
    let expected = this.#expected.get(subject);
    if (expected === undefined) {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      promise.catch(() => undefined); // nobody need be waiting any more
      const settle = (error: Error | null): void => {
        if (error === null) resolve(undefined);
        else reject(error);
      };
      this.#expected.set(subject, (expected = { promise, settle }));
      if (this.#ended !== null) settle(this.#ended);
    }
    return expected.promise;
  }

  /** Whoever waits for `subject` goes on. */
  settle(subject: string, error: Error | null): void {
    this.#expected.get(subject)?.settle(error);
    this.#expected.delete(subject);
  }

  /** Whoever waits, or comes to, is told `error`. */
  end(error: Error): void {
    this.#ended = error;
    for (const { settle } of this.#expected.values()) settle(error);
  }
}
