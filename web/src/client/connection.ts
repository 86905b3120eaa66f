/** The loop that joins a device and its network: frames in, errands out, one at a time. */

import type { Bytes } from '../codec.ts';
import {
  LocalProtocolError,
  RefusedError,
  RemoteProtocolError,
  UnavailableError,
  VerificationError,
} from '../errors.ts';
import { readServerFrame, type ServerFrame } from '../frames.ts';
import { Bell } from './bell.ts';
import { type Ask, Device, type Errand } from './device.ts';
import type { OpenedFile } from './downloads.ts';
import { StoreError } from './errors.ts';
import type { ConnectionState, Event, MessageKey } from './events.ts';
import { Housekeeping } from './housekeeping.ts';
import { Hub } from './hub.ts';
import type { Files } from './files.ts';
import { HUB } from './inbox.ts';
import { Late, loaded } from '../late.ts';
import type { Identity } from './records.ts';
import type { HubUri, RoomUri } from '../ids.ts';
import type { Store } from './store.ts';
import type { Stream } from './stream.ts';
import { monotonicMs, now } from './surroundings.ts';
import type { OutgoingFile } from './uploads.ts';
import { Watchers } from './watchers.ts';

/** Frames that are processed together, in one transaction. */
const MAX_FRAMES = 512;
/** The clock by which messages expire may jump: it is looked at this often while one waits for its end. */
const EXPIRY_LOOK_MS = 60_000;
/** Receipts are told together, this long after the first. */
const RECEIPT_QUIET_MS = 200;
/** A connection may last for months; device lists and key packages do not. */
const CHORES_EVERY_MS = 6 * 3_600_000;
/** The chore that may take long: no other waits for it. */
const UPLOADS = 'uploads';
const FIRST_CHORE_WAIT_MS = 500;
const LONGEST_CHORE_WAIT_MS = 60_000;

/** Keeps a device connected from `start` to `stop`, whatever happens to network, server and storage. */
export class Connection {
  readonly hub: Hub;
  readonly watchers: Watchers;
  readonly #files = new Late(() => this.#loadFiles());
  readonly #store: Store;
  readonly #identity: Identity;
  readonly #awake = new Bell();
  #device: Device;
  #housekeeping: Housekeeping;
  #stream: Stream | null = null;
  #frames: ServerFrame[] = [];
  #lost: string | null = null;
  #receiptsAtMs: number | null;
  #choresAtMs = 0;
  #running: Promise<void> | null = null;
  #stopping = false;
  #failed = false;
  readonly #chores = new Set<string>();
  readonly #due = new Set<string>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  private constructor(store: Store, identity: Identity, device: Device, watchers: Watchers) {
    this.#store = store;
    this.#identity = identity;
    this.#device = device;
    this.watchers = watchers;
    this.hub = new Hub(identity, store);
    this.#housekeeping = this.#keptFor(device);
    this.#receiptsAtMs = device.owesReceipts() ? 0 : null;
  }

  /** Nothing is connected. Throws `StoreError`. */
  static async open(store: Store, identity: Identity, tell: (events: Event[]) => void): Promise<Connection> {
    return new Connection(store, identity, await Device.open(store, identity), new Watchers(tell));
  }

  #keptFor(device: Device): Housekeeping {
    return new Housekeeping(device, this.hub, () => {
      this.wake();
    });
  }

  get device(): Device {
    return this.#device;
  }

  /** The hub that this device is connected to. */
  async hubUri(): Promise<HubUri> {
    return (await this.#housekeeping.frankingAgent()).hub;
  }

  async #loadFiles(): Promise<Files> {
    const { Files } = await loaded(import('./files.ts'));
    return new Files({
      store: this.#store,
      hub: this.hub,
      device: () => this.#device,
      hubUri: () => this.hubUri(),
      wake: () => {
        this.wake();
      },
    });
  }

  /** As `Api.sendFile`. */
  async sendFile(room: RoomUri, file: OutgoingFile, salt: Bytes): Promise<string> {
    const { uploads } = await this.#files.get();
    const uploadId = await uploads.send(room, file, salt);
    this.chore(UPLOADS);
    return uploadId;
  }

  /** As `Api.openFile`. */
  async openFile(messageId: MessageKey, number: number): Promise<OpenedFile> {
    const files = await this.#files.get();
    return files.open(messageId, number, (here, size) => {
      this.watchers.tell([{ kind: 'download_changed', messageId, number, here, size }]);
    });
  }

  /** As `Api.cancelUpload`. */
  async cancelUpload(uploadId: string): Promise<void> {
    const { uploads } = await this.#files.get();
    await uploads.cancel(uploadId);
  }

  async #goOnUploading(): Promise<void> {
    if (this.#store.uploads.keys().length === 0) return;
    const { uploads } = await this.#files.get();
    await uploads.goOn();
  }

  get housekeeping(): Housekeeping {
    return this.#housekeeping;
  }

  /** `offline` as well once the loop has ended: by a fault of ours, or because the browser has wiped the store. */
  get state(): ConnectionState {
    return this.#failed ? 'offline' : this.#device.session.state;
  }

  /** The loop runs, if it did not. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** The loop has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.wake();
    await this.#running;
    this.#closeStream();
    await (await this.#files.ifMade())?.close();
  }

  /** The device may have errands or events: the loop takes them. */
  wake(): void {
    this.#awake.ring();
  }

  /** What senders are owed is told a little later, together. */
  planReceipts(): void {
    if (this.#device.owesReceipts()) this.#receiptsAtMs ??= monotonicMs() + RECEIPT_QUIET_MS;
  }

  /** It is begun after now, beside the loop, once for all who ask meanwhile; again until the server answers. */
  chore(what: string): void {
    this.#due.add(what);
    if (this.#chores.has(what)) return;
    this.#chores.add(what);
    void this.#work(what).finally(() => {
      this.#chores.delete(what);
    });
  }

  /** The network is back: who waits to connect waits no longer. */
  hurry(): void {
    this.#device.session.hurry(monotonicMs());
    this.wake();
  }

  // --- the loop

  async #run(): Promise<void> {
    try {
      await this.#device.start();
      while (!this.#stopping) await this.#carryOn();
    } catch (error) {
      this.#failed = true;
      this.#closeStream();
      const reason = error instanceof StoreError ? error.message : 'a fault of this program';
      this.watchers.end(error instanceof StoreError ? error : new LocalProtocolError(reason));
      this.watchers.tell([{ kind: 'connection_changed', state: 'offline', reason }]);
      if (!(error instanceof StoreError)) reportError(error);
    }
  }

  async #carryOn(): Promise<void> {
    try {
      await this.#turn();
    } catch (error) {
      if (error instanceof StoreError && error.fault !== 'wiped') await this.#beginAgain(error.message);
      else if (error instanceof UnavailableError) await this.#lose(error.message);
      else throw error;
    }
  }

  /** Everything that can be done now is done; then it waits for more. */
  async #turn(): Promise<void> {
    const device = this.#device;
    const nowMs = monotonicMs();
    if (this.#frames.length > 0) await device.receive(this.#frames.splice(0, MAX_FRAMES), nowMs);
    await device.expire();
    const dueMs = device.session.nextTimerMs(nowMs);
    if (dueMs !== null && dueMs <= nowMs) await device.tick(nowMs);
    if (this.#receiptsAtMs !== null && this.#receiptsAtMs <= nowMs && this.state === 'online') {
      this.#receiptsAtMs = null;
      await device.reportReceipts();
    }
    this.#publish(); // which does the chores, once, if we are online now and were not
    if (this.state === 'online' && this.#choresAtMs <= nowMs) this.#doChores();
    for (let errand = device.errands.shift(); errand !== undefined; errand = device.errands.shift()) {
      await this.#do(errand);
      this.#publish();
    }
    if (this.#frames.length > 0) return;
    if (this.#lost !== null) await this.#lose(this.#lost);
    else await this.#awake.wait(this.#sleepMs(monotonicMs()));
  }

  /** How long until a timer is due, or null. */
  #sleepMs(nowMs: number): number | null {
    const ours = this.state === 'online' ? [this.#receiptsAtMs, this.#choresAtMs] : [];
    const endMs = this.#store.timeline.nextEndMs();
    const expiry = endMs === null ? null : nowMs + Math.min(Math.max(0, endMs - now()), EXPIRY_LOOK_MS);
    const due = [this.#device.session.nextTimerMs(nowMs), expiry, ...ours].filter((at) => at !== null);
    return due.length === 0 ? null : Math.max(0, Math.min(...due) - nowMs);
  }

  async #do(errand: Errand): Promise<void> {
    switch (errand.effect) {
      case 'connect':
        await this.#connect(errand.cursors);
        break;
      case 'disconnect':
        if (errand.forgetToken) this.hub.forgetToken();
        await this.#lose(errand.reason);
        break;
      case 'send':
        this.#stream?.send(errand.frame);
        break;
      case 'refresh':
        this.chore(errand.what);
        break;
      case 'ask':
        await this.#ask(errand);
    }
  }

  async #connect(cursors: ReadonlyMap<RoomUri, number>): Promise<void> {
    try {
      this.#stream = await this.hub.openStream(cursors);
    } catch (error) {
      if (error instanceof RefusedError) {
        this.hub.forgetToken();
        if (error.problem === 'device_removed') await this.#device.stop(error.problem);
        else await this.#lose(error.problem);
      } else if (error instanceof RemoteProtocolError) {
        await this.#device.recordFault(null, error.check, HUB);
        await this.#lose('the server does not answer as it should');
      } else throw error;
      return;
    }
    this.#device.session.opened(monotonicMs());
    this.#stream.listen(
      (data) => {
        this.#read(data);
      },
      () => {
        this.#lost ??= 'the connection is lost';
        this.wake();
      },
    );
  }

  #read(data: Uint8Array | null): void {
    if (this.#lost !== null) return;
    try {
      this.#frames.push(readServerFrame(data ?? new Uint8Array()));
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      void this.#device.recordFault(null, error.check, HUB);
      this.#lost = 'the server does not answer as it should';
    }
    this.wake();
  }

  /** What the server says is learnt; what it will not say counts as unknown. Throws `UnavailableError`. */
  async #ask(ask: Ask): Promise<void> {
    if (ask.lookup.directory) await unlessRefused(this.#housekeeping.refreshDirectory());
    for (const user of ask.lookup.users) await unlessRefused(this.#housekeeping.learnDevices(user, false));
    await this.#device.resume(ask);
  }

  // --- beginnings and ends

  async #lose(reason: string): Promise<void> {
    this.#closeStream();
    await this.#device.lost(monotonicMs(), reason, Math.random());
  }

  /** What is in memory may differ from what is stored: the device is read anew, and waits a little. */
  async #beginAgain(reason: string): Promise<void> {
    this.#publish();
    this.#closeStream();
    this.#device = await Device.open(this.#store, this.#identity);
    this.#housekeeping = this.#keptFor(this.#device);
    await this.#device.start();
    await this.#lose(reason);
  }

  #closeStream(): void {
    this.#stream?.close();
    this.#stream = null;
    this.#frames = [];
    this.#lost = null;
  }

  // --- what the application hears

  #publish(): void {
    const device = this.#device;
    const { events, finished } = device;
    device.events = [];
    device.finished = [];
    for (const event of events) {
      if (event.kind === 'connection_changed' && event.state === 'online') {
        this.#doChores();
      } else if (event.kind === 'message_state_changed' && event.state === 'sent') {
        this.watchers.settle(event.messageId, null);
      } else if (event.kind === 'message_state_changed' && event.reason !== null) {
        this.watchers.settle(event.messageId, new RefusedError(event.reason));
      }
    }
    for (const [submissionId, problem] of finished) {
      this.watchers.settle(submissionId, problem === null ? null : new RefusedError(problem));
    }
    if (events.length === 0) return;
    this.watchers.tell(events);
    this.planReceipts();
  }

  #doChores(): void {
    this.#choresAtMs = monotonicMs() + CHORES_EVERY_MS;
    for (const chore of ['everything_else', 'contacts', 'departures', 'devices', 'key_packages', 'lost', UPLOADS])
      this.chore(chore);
  }

  #later(waitMs: number, what: string): void {
    clearTimeout(this.#timers.get(what));
    const timer = setTimeout(() => {
      if (this.state === 'online') this.chore(what);
    }, waitMs);
    this.#timers.set(what, timer);
  }

  async #work(what: string): Promise<void> {
    let waitMs = FIRST_CHORE_WAIT_MS;
    while (this.#due.delete(what)) {
      try {
        const againMs = await (what === UPLOADS ? this.#goOnUploading() : this.#housekeeping.do(what));
        if (typeof againMs === 'number') this.#later(againMs, what);
      } catch (error) {
        if (error instanceof UnavailableError) {
          this.#due.add(what);
          await new Promise((resolve) => setTimeout(resolve, waitMs));
          waitMs = Math.min(2 * waitMs, LONGEST_CHORE_WAIT_MS);
          if (this.state !== 'online') return; // it is begun anew with the next connection
        } else if (!isRefusal(error) && !(error instanceof StoreError)) throw error;
      }
      this.wake();
    }
  }
}

/** What the server will not tell, or tells against the rules, is recorded where it was found. */
function isRefusal(error: unknown): boolean {
  return error instanceof RefusedError || error instanceof RemoteProtocolError || error instanceof VerificationError;
}

async function unlessRefused(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}
