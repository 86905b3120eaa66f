/** What all screens share: the device of this origin, who uses it, their rooms and contacts, as it is now. */

import { createContext } from 'svelte';

import type { Contact } from '../bodies.ts';
import type { Me } from '../client/api.ts';
import type { ConnectionState, Event, RoomSummary } from '../client/events.ts';
import { type ProviderName, providerOf, type RoomUri, type UserUri } from '../ids.ts';
import type { Picture } from '../profile.ts';
import type { Nightlight } from '../sdk.ts';
import { explain } from './explain.ts';
import { Refresher } from './refresher.ts';
import { readRoute, type Route } from './route.ts';
import { say } from './words.ts';
import type { Draft } from './writing.svelte.ts';

const CLOCK_MS = 30_000;
/** Long enough for a screen reader to take up what it is to say. */
const SAID_MS = 5_000;

export class Messenger {
  readonly device: Nightlight;
  me: Me;
  readonly provider: ProviderName;
  connection: ConnectionState = $state('offline');
  /** Whether the browser itself knows that it has no network. */
  unplugged = $state(!navigator.onLine);
  rooms: readonly RoomSummary[] = $state.raw([]);
  roomsReady = $state(false);
  /** Of the rooms that have one, as far as they are loaded. */
  pictures: Readonly<Partial<Record<RoomUri, Picture>>> = $state.raw({});
  contacts: readonly Contact[] = $state.raw([]);
  /** What is begun and not sent, in each room; for as long as the page is open, and nowhere but in memory. */
  drafts: Readonly<Partial<Record<RoomUri, Draft>>> = $state.raw({});
  route: Route = $state.raw(readRoute(location.hash));
  /** What a screen reader says next. */
  said = $state('');
  /** The time, for words such as "today". */
  nowMs = $state(Date.now());
  /** What keeps the device from working, in words; null: nothing. */
  trouble: string | null = $state(null);
  /** Told of what no screen waits for. */
  readonly failed = (error: unknown): void => {
    this.trouble = explain(error);
  };
  readonly #rooms = new Refresher(() => this.#loadRooms(), this.failed);
  readonly #contacts = new Refresher(() => this.#loadContacts(false), this.failed);
  readonly #heard = new Refresher(() => this.#loadContacts(true), this.failed);

  /** Rooms whose pictures may be others now. */
  readonly #changed: RoomUri[] = [];
  readonly #forget: () => void;
  readonly #clock: ReturnType<typeof setInterval>;

  constructor(device: Nightlight, me: Me) {
    this.device = device;
    this.me = $state.raw(me);
    this.provider = providerOf(me.user);
    this.#forget = device.listen((event) => {
      this.#hear(event);
    });
    void device.connectionState().then((state) => {
      this.connection = state;
    }, this.failed);
    void this.#rooms.refresh();
    void this.#contacts.refresh();
    this.#clock = setInterval(() => {
      this.nowMs = Date.now();
    }, CLOCK_MS);
  }

  /** Nothing is heard any more. */
  close(): void {
    this.#forget();
    clearInterval(this.#clock);
  }

  get unread(): number {
    return this.rooms.reduce((count, room) => count + room.unread, 0);
  }

  get asking(): number {
    return this.contacts.filter(({ state }) => state === 'asked').length;
  }

  /** In words of the catalogue's `connection.…`: how things stand with the server. */
  get standing(): 'online' | 'connecting' | 'catching_up' | 'waiting' | 'offline' {
    if (this.unplugged) return 'offline';
    return this.connection === 'offline' ? 'waiting' : this.connection;
  }

  room(room: RoomUri): RoomSummary | null {
    return this.rooms.find((summary) => summary.room === room) ?? null;
  }

  /** Everyone in `members` but this person. */
  others(members: readonly UserUri[]): UserUri[] {
    return members.filter((user) => user !== this.me.user);
  }

  /** A screen reader says `words`, also when it has just said the same; they do not stay in the page. */
  say(words: string): void {
    const said = this.said === words ? `${words}\u00a0` : words;
    this.said = said;
    setTimeout(() => {
      if (this.said === said) this.said = '';
    }, SAID_MS);
  }

  /** `draft` is what is begun in `room`. */
  keepDraft(room: RoomUri, draft: Draft): void {
    const isEmpty = draft.text.trim() === '' && draft.replyTo === null;
    this.drafts = { ...this.drafts, [room]: isEmpty ? undefined : draft };
  }

  refreshRooms(): Promise<void> {
    return this.#rooms.refresh();
  }

  refreshContacts(): Promise<void> {
    return this.#contacts.refresh();
  }

  async setReceipts(wanted: boolean): Promise<void> {
    await this.device.setReceipts(wanted);
    this.me = (await this.device.me()) ?? this.me;
  }

  #hear(event: Event): void {
    switch (event.kind) {
      case 'connection_changed':
        this.connection = event.state;
        break;
      case 'device_opened': // another tab may have led until now, and closed before we heard all
        void this.#rooms.refresh();
        void this.#contacts.refresh();
        break;
      case 'contact_changed': // which says that the device has just heard
        void this.#heard.refresh();
        break;
      case 'room_changed':
        this.#changed.push(event.room);
        void this.#rooms.refresh();
        break;
      case 'message_shown':
      case 'message_changed':
      case 'message_expired':
      case 'message_state_changed':
        void this.#rooms.refresh();
        break;
      case 'storage_changed':
        this.trouble = event.state === 'full' ? say('storage.full') : null;
        break;
      case 'fault_seen':
      case 'notice':
      case 'typing':
      case 'upload_changed':
      case 'download_changed':
    }
  }

  async #loadRooms(): Promise<void> {
    this.nowMs = Date.now();
    this.rooms = await this.device.rooms();
    this.roomsReady = true;
    this.trouble = null;
    await this.#loadPictures();
  }

  async #loadPictures(): Promise<void> {
    const changed = this.#changed.splice(0);
    for (const { room, pictured } of this.rooms) {
      if (pictured === room in this.pictures && !changed.includes(room)) continue;
      const picture = pictured ? (await this.device.profile(room))?.picture : null;
      this.pictures = { ...this.pictures, [room]: picture ?? undefined };
    }
  }

  async #loadContacts(heard: boolean): Promise<void> {
    this.contacts = await this.device.contacts(heard);
  }
}

export const [useMessenger, provideMessenger] = createContext<Messenger>();
