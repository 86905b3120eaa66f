/** One room as it is shown: what was said in it, loaded from the newest backwards. */

import type { Event, FaultSeen, Message, MessageKey } from '../client/events.ts';
import type { RoomUri } from '../ids.ts';
import type { Nightlight } from '../sdk.ts';
import { Refresher } from './refresher.ts';
import { withTail } from './timeline.ts';

const PAGE = 60;

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
  readonly #device: Nightlight;
  readonly #tail: Refresher;
  readonly #faults: Refresher;
  readonly #older: Refresher;
  readonly #forget: () => void;
  #unread: number;

  /** `unread`: how many of the newest messages of others have not been read. `failed` hears what goes wrong. */
  constructor(device: Nightlight, room: RoomUri, unread: number, failed: (error: unknown) => void) {
    this.#device = device;
    this.#tail = new Refresher(() => this.#loadTail(), failed);
    this.#faults = new Refresher(() => this.#loadFaults(), failed);
    this.#older = new Refresher(() => this.#loadOlder(), failed);
    this.room = room;
    this.#unread = unread;
    this.#forget = device.listen((event) => {
      this.#hear(event);
    });
    void this.#tail.refresh();
    void this.#faults.refresh();
  }

  /** Nothing is loaded any more. */
  close(): void {
    this.#forget();
  }

  /** What came before the loaded part is loaded too, a page of it. */
  loadOlder(): Promise<void> {
    return this.#older.refresh();
  }

  #hear(event: Event): void {
    if (event.kind === 'device_opened') void this.#tail.refresh();
    else if (event.kind === 'fault_seen' && event.room === this.room) void this.#faults.refresh();
    else if (event.kind === 'message_shown' && event.message.room === this.room) void this.#tail.refresh();
    else if (event.kind === 'message_changed' && event.message.room === this.room) {
      const { message } = event;
      this.messages = this.messages.map((known) => (known.messageId === message.messageId ? message : known));
    } else if (event.kind === 'message_expired' && event.room === this.room) {
      this.messages = this.messages.filter(({ messageId }) => messageId !== event.messageId);
    } else if (event.kind === 'message_state_changed' && event.room === this.room) {
      const at = this.messages.findIndex(({ messageId }) => messageId === event.messageId);
      const known = this.messages[at];
      if (known === undefined) void this.#tail.refresh();
      else this.messages = this.messages.with(at, { ...known, state: event.state });
    }
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
  }

  async #loadOlder(): Promise<void> {
    const [first] = this.messages;
    if (this.whole || first === undefined) return;
    const older = await this.#device.messages(this.room, PAGE, first.messageId);
    if (this.messages[0]?.messageId !== first.messageId) return; // the tail was loaded anew meanwhile
    this.whole = older.length < PAGE;
    this.messages = [...older, ...this.messages];
  }

  async #loadFaults(): Promise<void> {
    this.faults = (await this.#device.faults()).filter(({ room }) => room === this.room);
  }
}
