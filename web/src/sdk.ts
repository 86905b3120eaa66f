/**
 * What the page calls: `Api`, whichever tab's worker answers.
 *
 * Several tabs may be open, and one store cannot have two devices at work in it. So one tab *leads*: it holds a lock of
 * this origin, runs the worker, and answers the others, which reach it through a channel. The worker holds a second lock.
 * When the tab is closed or its worker ends, however that happens, the browser hands the locks on: another worker starts,
 * opens the store as it finds it, says so, and is asked again what was not answered. Asking twice is harmless: whatever
 * `Api` does, it may be told to do again.
 */

import type { Api, Me } from './client/api.ts';
import type { Manner } from './client/author.ts';
import { wiped } from './client/errors.ts';
import type { Event, MessageKey } from './client/events.ts';
import type { OutgoingFile } from './client/uploads.ts';
import type { Bytes } from './codec.ts';
import { UnavailableError } from './errors.ts';
import { type RoomUri, SALT_BYTES, type UserUri } from './ids.ts';
import type { AnswerMessage, CallMessage, EventsMessage, LeadingMessage, Outcome, ReadyMessage } from './remote.ts';
import { plain, revive, WORKER_LOCK } from './remote.ts';
import { startWorker } from './start-worker.ts';

export type { Agreement, Me } from './client/api.ts';
export { StoreError } from './client/errors.ts';
export { RefusedError, RemoteProtocolError, UnavailableError, VerificationError } from './errors.ts';
export type * from './client/events.ts';
export type { OpenedFile } from './client/downloads.ts';
export type { OutgoingFile } from './client/uploads.ts';
export type { ContactAction } from './client/hub.ts';

/** Of the lock and of the channel. */
const NAME = 'nightlight';
/** Between two workers, should they end again and again. */
const PAUSE_MS = 500;

type ChannelMessage = CallMessage | AnswerMessage | EventsMessage | LeadingMessage;

interface Pending {
  readonly call: CallMessage;
  readonly settle: (outcome: Outcome) => void;
}

/** What is said under a salt: asked twice, it is said once. */
type Salted = 'send' | 'sendFile' | 'edit' | 'delete' | 'react' | 'unreact' | 'forward';

/** `Api`, and what happens; what is random is chosen here. */
export interface Nightlight extends Omit<Api, Salted | 'createRoom'> {
  send(room: RoomUri, text: string, manner?: Manner): Promise<MessageKey>;
  sendFile(room: RoomUri, file: OutgoingFile): Promise<string>;
  edit(messageId: MessageKey, text: string): Promise<MessageKey>;
  delete(messageId: MessageKey): Promise<MessageKey | null>;
  react(messageId: MessageKey, text: string): Promise<MessageKey | null>;
  unreact(messageId: MessageKey, text: string): Promise<MessageKey | null>;
  forward(messageId: MessageKey, rooms: readonly RoomUri[]): Promise<MessageKey[]>;
  createRoom(users: readonly UserUri[]): Promise<RoomUri>;
  /** As `Api.me`. Throws `StoreError` `wiped` where a device was registered that this browser no longer holds. */
  me(): Promise<Me | null>;
  /** `listener` hears what happens from now on, in every tab; until the function returned is called. */
  listen(listener: (event: Event) => void): () => void;
}

type Call = <Method extends keyof Api>(method: Method, args: Parameters<Api[Method]>) => ReturnType<Api[Method]>;

/** What is not simply passed on. */
type Own = Pick<Nightlight, Salted | 'listen' | 'createRoom' | 'me' | 'register' | 'linked' | 'startAnew'>;

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
    void this.#leadAlways();
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

  async #leadAlways(): Promise<never> {
    for (;;) {
      await navigator.locks.request(NAME, () => this.#lead());
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** The worker runs; until it ends, or the tab is closed. */
  async #lead(): Promise<void> {
    const worker = startWorker();
    const started = await new Promise<boolean>((resolve) => {
      worker.onerror = () => {
        resolve(false); // after it has started, this changes nothing
      };
      worker.onmessage = ({ data }: MessageEvent<AnswerMessage | EventsMessage | ReadyMessage>) => {
        if (data.kind === 'ready') resolve(true);
        else this.#pass(data);
      };
    });
    if (started) {
      this.#worker = worker;
      for (const { call } of this.#pending.values()) this.#hand(call);
      this.#channel.postMessage({ kind: 'leading' } satisfies LeadingMessage);
      await navigator.locks.request(WORKER_LOCK, () => undefined); // ours once the worker has ended
      this.#worker = null;
      this.#handed.clear();
    } else {
      const error = plain(new UnavailableError('a part of this page cannot be loaded'));
      for (const { settle } of this.#pending.values()) settle({ error });
    }
    worker.terminate();
  }

  /** What the worker says goes to whom it concerns. */
  #pass(message: AnswerMessage | EventsMessage): void {
    this.#hear(message);
    if (message.kind === 'events' || message.to !== this.#name) this.#channel.postMessage(message);
  }
}

let opened: Nightlight | null = null;

/** The device of this origin. */
export function nightlight(): Nightlight {
  return (opened ??= open(new Tab()));
}

function open(tab: Tab): Nightlight {
  const call = tab.call.bind(tab) as Call;
  const own: Own = {
    listen: tab.listen.bind(tab),
    send: (room, text, manner = {}) => call('send', [room, text, manner, randomBytes()]),
    sendFile: (room, file) => call('sendFile', [room, file, randomBytes()]),
    edit: (messageId, text) => call('edit', [messageId, text, randomBytes()]),
    delete: (messageId) => call('delete', [messageId, randomBytes()]),
    react: (messageId, text) => call('react', [messageId, text, randomBytes()]),
    unreact: (messageId, text) => call('unreact', [messageId, text, randomBytes()]),
    forward: (messageId, rooms) => call('forward', [messageId, rooms, rooms.map(randomBytes)]),
    createRoom: (users) => call('createRoom', [users, randomBytes()]),
    async me() {
      const me = await call('me', []);
      if (me !== null) remember(true);
      else if (remembers()) throw wiped();
      return me;
    },
    async register(user) {
      const me = await call('register', [user]);
      remember(true);
      void navigator.storage.persist().catch(() => false);
      return me;
    },
    async linked() {
      const me = await call('linked', []);
      remember(true);
      void navigator.storage.persist().catch(() => false);
      return me;
    },
    async startAnew() {
      await call('startAnew', []);
      remember(false);
    },
  };
  return new Proxy(own, {
    get: (own, name) => {
      if (name in own) return own[name as keyof Own];
      // Nothing here is a promise, though `await` asks.
      if (typeof name !== 'string' || name === 'then') return undefined;
      return (...args: readonly unknown[]) => tab.call(name, args);
    },
  }) as Nightlight;
}

function randomBytes(): Bytes {
  return crypto.getRandomValues(new Uint8Array(SALT_BYTES));
}

/** That there is a device here, and nothing of whose, is also noted beside the store, to be missed if that is wiped. */
function remember(device: boolean): void {
  try {
    if (device) localStorage.setItem(NAME, 'device');
    else localStorage.removeItem(NAME);
  } catch {
    // A browser that stores nothing has said so already.
  }
}

function remembers(): boolean {
  try {
    return localStorage.getItem(NAME) !== null;
  } catch {
    return false;
  }
}
