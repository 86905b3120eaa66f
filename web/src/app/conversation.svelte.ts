/** One room as it is shown: what was said in it, loaded from the newest backwards. */

import { createContext } from 'svelte';

import type { Event, FaultSeen, FileUpload, Message, MessageKey } from '../client/events.ts';
import type { RoomUri } from '../ids.ts';
import type { Nightlight } from '../sdk.ts';
import { Refresher } from './refresher.ts';
import { withTail } from './timeline.ts';
import { type Draft, Writing } from './writing.svelte.ts';

const PAGE = 60;
/** When a message far up is looked for. */
const LARGE_PAGE = 500;

/** A file on its way out. `sent`: of its bytes, as far as is known. */
export type Sending = FileUpload & { readonly sent: number };

export class Conversation {
  readonly room: RoomUri;
  /** What is loaded: the newest part of the room, oldest first. */
  messages: readonly Message[] = $state.raw([]);
  faults: readonly FaultSeen[] = $state.raw([]);
  /** Whether the beginning of the room is loaded. */
  whole = $state(false);
  /** Whether anything is loaded yet. */
  ready = $state(false);
  /** The first message that was unread when the room was opened. */
  firstNew: MessageKey | null = $state(null);
  /** Files on their way out, or refused. */
  uploads: readonly Sending[] = $state.raw([]);
  /** What replies here answer, by what they name; null: it is not here, or not any more. */
  answered: Readonly<Partial<Record<MessageKey, Message | null>>> = $state.raw({});
  /** The message whose menu is open, and where on the screen. */
  chosen: { readonly message: Message; readonly at: DOMRect } | null = $state.raw(null);
  /** The message to be scrolled to. */
  sought: MessageKey | null = $state(null);
  readonly writing: Writing;
  readonly #device: Nightlight;
  readonly #failed: (error: unknown) => void;
  readonly #tail: Refresher;
  readonly #faults: Refresher;
  readonly #older: Refresher;
  readonly #uploads: Refresher;
  readonly #answered: Refresher;
  readonly #forget: () => void;
  #unread: number;

  /**
   * `unread`: how many of the newest messages of others have not been read. `failed` hears what goes wrong. `draft`: what
   * was begun before.
   */
  constructor(
    device: Nightlight,
    room: RoomUri,
    unread: number,
    failed: (error: unknown) => void,
    draft: Draft | undefined,
  ) {
    this.#device = device;
    this.#failed = failed;
    this.writing = new Writing(draft);
    this.#tail = new Refresher(() => this.#loadTail(), failed);
    this.#faults = new Refresher(() => this.#loadFaults(), failed);
    this.#older = new Refresher(() => this.#loadOlder(), failed);
    this.#uploads = new Refresher(() => this.#loadUploads(), failed);
    this.#answered = new Refresher(() => this.#loadAnswered(), failed);
    this.room = room;
    this.#unread = unread;
    this.#forget = device.listen((event) => {
      this.#hear(event);
    });
    void this.#tail.refresh();
    void this.#faults.refresh();
    void this.#uploads.refresh();
  }

  /** Nothing is loaded any more. */
  close(): void {
    this.#forget();
  }

  /** What came before the loaded part is loaded too, a page of it. */
  loadOlder(): Promise<void> {
    return this.#older.refresh();
  }

  /** The message is scrolled to, if it is still here. */
  async seek(messageId: MessageKey): Promise<void> {
    try {
      if ((await this.#device.message(messageId))?.room !== this.room) return;
      while (!this.whole && !this.#has(messageId)) await this.#loadOlder(LARGE_PAGE);
    } catch (error) {
      this.#failed(error);
    }
    if (this.#has(messageId)) this.sought = messageId;
  }

  #has(messageId: MessageKey): boolean {
    return this.messages.some((message) => message.messageId === messageId);
  }

  #hear(event: Event): void {
    if (event.kind === 'device_opened') {
      void this.#tail.refresh();
      void this.#uploads.refresh();
    } else if (event.kind === 'fault_seen') {
      if (event.room === this.room) void this.#faults.refresh();
    } else if (event.kind === 'message_shown' || event.kind === 'message_changed') {
      if (event.message.room !== this.room) return;
      if (event.kind === 'message_shown') void this.#tail.refresh();
      else this.#change(event.message);
    } else if (!('room' in event) || event.room !== this.room) return;
    else if (event.kind === 'upload_changed') {
      const { uploadId, sent, messageId, reason } = event;
      const isKnown = this.uploads.some((upload) => upload.uploadId === uploadId);
      if (messageId !== null || reason !== null || !isKnown) void this.#uploads.refresh();
      this.uploads = this.uploads.map((upload) => (upload.uploadId === uploadId ? { ...upload, sent } : upload));
    } else if (event.kind === 'message_expired') {
      this.messages = this.messages.filter(({ messageId }) => messageId !== event.messageId);
      if (event.messageId in this.answered) this.answered = { ...this.answered, [event.messageId]: null };
    } else if (event.kind === 'message_state_changed') {
      const at = this.messages.findIndex(({ messageId }) => messageId === event.messageId);
      const known = this.messages[at];
      if (known === undefined) void this.#tail.refresh();
      else this.messages = this.messages.with(at, { ...known, state: event.state });
    }
  }

  #change(message: Message): void {
    this.messages = this.messages.map((known) => (known.messageId === message.messageId ? message : known));
    if (message.messageId in this.answered) this.answered = { ...this.answered, [message.messageId]: message };
  }

  /** What waits in the outbox is behind everything else, so the page goes back to something that does not. */
  async #loadTail(): Promise<void> {
    let limit = PAGE;
    let tail = await this.#device.messages(this.room, limit);
    while (tail.length === limit && tail.every(({ acceptedAtMs }) => acceptedAtMs === null)) {
      tail = await this.#device.messages(this.room, (limit *= 2));
    }
    if (tail.length < limit) this.whole = true;
    const joined = withTail(this.messages, tail);
    if (joined === null && this.messages.length > 0) this.whole = false;
    this.messages = joined ?? tail;
    if (!this.ready && this.#unread > 0) {
      const others = this.messages.filter(({ own }) => !own);
      this.firstNew = (others.at(-this.#unread) ?? others[0])?.messageId ?? null;
    }
    this.ready = true;
    void this.#answered.refresh();
  }

  async #loadOlder(limit = PAGE): Promise<void> {
    const [first] = this.messages;
    if (this.whole || first === undefined) return;
    const older = await this.#device.messages(this.room, limit, first.messageId);
    if (this.messages[0]?.messageId !== first.messageId) return; // the tail was loaded anew meanwhile
    this.whole = older.length < limit;
    this.messages = [...older, ...this.messages];
    void this.#answered.refresh();
  }

  /** What the loaded messages answer, from among them or asked for. */
  async #loadAnswered(): Promise<void> {
    for (const { replyTo } of this.messages) {
      if (replyTo === null || replyTo in this.answered) continue;
      const loaded = this.messages.find(({ messageId }) => messageId === replyTo);
      const message = loaded ?? (await this.#device.message(replyTo));
      this.answered = { ...this.answered, [replyTo]: message };
    }
  }

  async #loadUploads(): Promise<void> {
    const uploads = await this.#device.uploads(this.room);
    this.uploads = uploads.map((upload) => {
      const known = this.uploads.find(({ uploadId }) => uploadId === upload.uploadId);
      return { ...upload, sent: known?.sent ?? 0 };
    });
  }

  async #loadFaults(): Promise<void> {
    this.faults = (await this.#device.faults()).filter(({ room }) => room === this.room);
  }
}

/** The room that is open. */
export const [useConversation, provideConversation] = createContext<Conversation>();
