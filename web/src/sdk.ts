/**
 * What the page calls: `Api`, whichever tab's worker answers.
 *
 * Several tabs may be open, and one store cannot have two devices at work in it. So one tab *leads*: it holds a lock of
 * this origin, runs the worker, and answers the others, which reach it through a channel. When it is closed, however
 * that happens, the browser hands the lock to another tab; that one starts a worker, says so, and is asked again what
 * was not answered. Asking twice is harmless: whatever `Api` does, it may be told to do again.
 */

import type { Api } from './client/api.ts';
import type { Event } from './client/events.ts';
import { SALT_BYTES } from './content.ts';
import type { RoomUri } from './ids.ts';
import type { AnswerMessage, CallMessage, EventsMessage, LeadingMessage, Outcome } from './remote.ts';
import { revive } from './remote.ts';
import { startWorker } from './start-worker.ts';

export type { Agreement, Me } from './client/api.ts';
export { StoreError } from './client/errors.ts';
export type * from './client/events.ts';
export type { ContactAction } from './client/hub.ts';

/** Of the lock and of the channel. */
const NAME = 'nightlight';

type ChannelMessage = CallMessage | AnswerMessage | EventsMessage | LeadingMessage;

interface Pending {
  readonly call: CallMessage;
  readonly settle: (outcome: Outcome) => void;
}

/** `Api`, and what happens; `send` chooses the salt. */
export interface Nightlight extends Omit<Api, 'send'> {
  /** `text` is durable in the outbox and goes out in order. Throws as `Api.send`. Returns the message's id. */
  send(room: RoomUri, text: string): Promise<string>;
  /** `listener` hears what happens from now on, in every tab; until the function returned is called. */
  listen(listener: (event: Event) => void): () => void;
}

class Tab {
  readonly #name = crypto.randomUUID();
  readonly #channel = new BroadcastChannel(NAME);
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: Event) => void>();
  /** Calls that this tab, leading, has handed to its worker. */
  readonly #handed = new Set<string>();
  #worker: Worker | null = null;
  #calls = 0;

  constructor() {
    this.#channel.onmessage = ({ data }: MessageEvent<ChannelMessage>) => {
      this.#hear(data);
    };
    void navigator.locks.request(NAME, () => this.#lead());
    addEventListener('online', () => void this.call('hurry', []));
  }

  call(method: string, args: readonly unknown[]): Promise<unknown> {
    const call: CallMessage = { kind: 'call', from: this.#name, id: (this.#calls += 1), method, args };
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome): void => {
        this.#pending.delete(call.id);
        if ('value' in outcome) resolve(outcome.value);
        else reject(revive(outcome.error));
      };
      this.#pending.set(call.id, { call, settle });
      this.#ask(call);
    });
  }

  listen(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #ask(call: CallMessage): void {
    if (this.#worker === null) this.#channel.postMessage(call);
    else this.#hand(call);
  }

  #hand(call: CallMessage): void {
    const key = `${call.from} ${String(call.id)}`;
    if (this.#handed.has(key)) return;
    this.#handed.add(key);
    this.#worker?.postMessage(call);
  }

  #hear(message: ChannelMessage): void {
    switch (message.kind) {
      case 'call':
        if (this.#worker !== null) this.#hand(message);
        break;
      case 'answer':
        if (message.to === this.#name) this.#pending.get(message.id)?.settle(message.outcome);
        break;
      case 'events':
        for (const event of message.events) for (const listener of this.#listeners) listener(event);
        break;
      case 'leading':
        for (const { call } of this.#pending.values()) this.#ask(call);
    }
  }

  /** The worker runs; until the tab is closed. */
  #lead(): Promise<never> {
    const worker = (this.#worker = startWorker());
    worker.onmessage = ({ data }: MessageEvent<AnswerMessage | EventsMessage>) => {
      this.#hear(data);
      if (data.kind === 'events' || data.to !== this.#name) this.#channel.postMessage(data);
    };
    for (const { call } of this.#pending.values()) this.#hand(call);
    this.#channel.postMessage({ kind: 'leading' } satisfies LeadingMessage);
    return new Promise(() => undefined);
  }
}

let opened: Nightlight | null = null;

/** The device of this origin. */
export function nightlight(): Nightlight {
  return (opened ??= open(new Tab()));
}

function open(tab: Tab): Nightlight {
  const own = {
    listen: (listener: (event: Event) => void) => tab.listen(listener),
    send: (room: RoomUri, text: string) =>
      tab.call('send', [room, text, crypto.getRandomValues(new Uint8Array(SALT_BYTES))]),
  };
  return new Proxy(own, {
    get: (own, name) => {
      if (name === 'listen' || name === 'send') return own[name];
      // Nothing here is a promise, though `await` asks.
      if (typeof name !== 'string' || name === 'then') return undefined;
      return (...args: readonly unknown[]) => tab.call(name, args);
    },
  }) as unknown as Nightlight;
}
