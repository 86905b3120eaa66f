/** What was said, in the store of a browser: what is shown of it, and when words are gone for good. */

import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { openDB } from 'idb';
import { afterEach, beforeEach, expect, it, test, vi } from 'vitest';

import type { Attachment } from '../src/attachment.ts';
import { newRoom, type RoomRecord } from '../src/client/records.ts';
import { makeSealingKey, seal } from '../src/client/sealing.ts';
import { Store } from '../src/client/store.ts';
import type { Timeline } from '../src/client/timeline.ts';
import * as content from '../src/content.ts';
import { NOTHING, read, type Said } from '../src/conversation.ts';
import { toHex } from '../src/hex.ts';
import type { BlobId, HubUri, MessageKey, RoomUri, TimestampMs, UserUri } from '../src/ids.ts';
import { checkOf, fromHex } from './vectors.ts';
import { CONVERSATIONS, type ShownRow } from './vectors/conversation.ts';

const ROOM = 'mimi://courier.example/r/lake' as RoomUri;
const MIRA = 'mimi://courier.example/u/mira' as UserUri;
const TOMAS = 'mimi://gallery.example/u/tomas' as UserUri;
const NOW_MS = 1_800_000_000_000 as TimestampMs;
const HOUR_MS = 3_600_000;

let store: Store;
let timeline: Timeline;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW_MS });
  vi.stubGlobal('indexedDB', new IDBFactory());
  store = await Store.open('nightlight', () => undefined);
  ({ timeline } = store);
  await store.transaction(() => {
    store.rooms.put(ROOM, newRoom(ROOM, 'joined', 9, new Uint8Array()));
  });
});

afterEach(() => {
  store.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function key(number: number): MessageKey {
  return number.toString(16).padStart(64, '0');
}

function text(text: string, more: Partial<Said> = {}): Said {
  return { ...NOTHING, kind: 'message', words: { text, mentions: [] }, ...more };
}

function edit(text: string, of = 1): Said {
  return { ...NOTHING, kind: 'edit', target: key(of), words: { text, mentions: [] } };
}

function reaction(text: string, to = 1): Said {
  return { ...NOTHING, kind: 'reaction', target: key(to), sets: [text] };
}

/** Tomas said it, at place `seq` of the log. */
async function receive(number: number, said: Said, seq = number, acceptedAtMs = NOW_MS): Promise<void> {
  await store.transaction(() =>
    timeline.add(
      { room: ROOM, messageId: key(number), sender: TOMAS, own: false, state: 'received', seq, acceptedAtMs },
      said,
    ),
  );
}

/** Mira, whose store it is, says it; the hub does not have it yet. */
async function queue(number: number, said: Said): Promise<void> {
  await store.transaction(() =>
    timeline.add(
      { room: ROOM, messageId: key(number), sender: MIRA, own: true, state: 'queued', seq: null, acceptedAtMs: null },
      said,
    ),
  );
}

async function accept(number: number, seq: number): Promise<void> {
  await store.transaction(async () => {
    const queued = await store.message(key(number));
    if (queued !== null) await timeline.accept(queued, seq, NOW_MS);
  });
}

async function expire(afterMs: number): Promise<MessageKey[]> {
  vi.setSystemTime(NOW_MS + afterMs);
  return (await store.transaction(() => timeline.expire())).map(({ messageId }) => messageId);
}

/** All texts that are left, whatever is shown. */
async function left(upTo: number): Promise<string[]> {
  const records = await Promise.all(Array.from({ length: upTo }, (_, number) => store.message(key(number + 1))));
  return records.map((record) => record?.words?.text ?? '').filter((text) => text !== '');
}

test.each(CONVERSATIONS)('a log comes to what is shown: $name', async (row) => {
  await store.transaction(() => {
    store.rooms.put(row.room, newRoom(row.room, 'joined', 0, new Uint8Array()));
  });
  for (const [at, { sender, accepted_at_ms, application_data, check }] of row.log.entries()) {
    const data = fromHex(application_data);
    const messageId = toHex(await content.messageId(sender, row.room, data));
    const found = await checkOf(() =>
      store.transaction(async () => {
        const said = await read(content.decode(data), timeline.before(row.room));
        const place = { room: row.room, messageId, sender, seq: at + 1, acceptedAtMs: accepted_at_ms };
        await timeline.add({ ...place, own: false, state: 'received' }, said);
      }),
    );
    expect(found).toBe(check);
  }
  const shown = (await timeline.messages(row.room, 100)).map((message): ShownRow => ({
    message_id: message.messageId,
    sender: message.sender,
    text: message.text,
    mentions: [...message.mentions],
    reply_to: message.replyTo,
    edited: message.edited,
    deleted: message.deleted,
    reactions: message.reactions.map(({ text, users }) => ({ text, users: [...users] })),
    forwarded: message.forwarded,
    lifetime_s: message.lifetimeS,
    end_ms: message.expiresAtMs,
  }));
  expect(shown).toEqual(row.shown);
});

it('shows the edit that comes last in the log, and keeps no other words', async () => {
  await receive(1, text('hello from the lake'));
  await receive(4, edit('third'), 8);
  await receive(3, edit('second'), 7);
  expect((await timeline.message(key(1)))?.text).toBe('third');
  await receive(5, edit('fourth'), 9);
  expect((await timeline.message(key(1)))?.text).toBe('fourth');
  expect(await left(5)).toEqual(['fourth']);
  expect(await timeline.versions(key(1))).toEqual([key(1), key(3), key(4), key(5)]);
});

it('shows an edit that waits at once, and undoes it if the hub refuses it', async () => {
  await queue(1, text('hello from the lake'));
  await accept(1, 1);
  await queue(2, edit('hello from the hill'));
  expect((await timeline.messages(ROOM, 10)).map((message) => message.text)).toEqual(['hello from the hill']);
  await store.transaction(() => timeline.fail(key(2), 'too_large'));
  const [message] = await timeline.messages(ROOM, 10);
  expect([message?.text, message?.edited]).toEqual(['hello from the lake', false]);
});

it('leaves a place without words where something was deleted', async () => {
  await receive(1, text('hello from the lake', { forwarded: 2 }));
  await receive(2, edit('hello from the hill'));
  await receive(3, reaction('❤'));
  await receive(4, { ...NOTHING, kind: 'deletion', target: key(1) });
  await receive(5, edit('back again'));
  const [message, ...others] = await timeline.messages(ROOM, 10);
  expect(others).toEqual([]);
  expect([message?.text, message?.deleted, message?.reactions]).toEqual(['', true, []]);
  expect(await left(5)).toEqual([]);
  expect(await timeline.versions(key(1))).toEqual([key(1), key(2), key(5)]);
});

it('lets a message go so long after it was read, with all that was said about it', async () => {
  await receive(1, text('for an hour', { expires: { relative: true, seconds: 3600 } }));
  await receive(2, text('for ever'));
  expect(timeline.nextEndMs()).toBeNull();
  await store.transaction(() => timeline.beginLives([key(1), key(2)]));
  expect(timeline.nextEndMs()).toBe(NOW_MS + HOUR_MS);
  await receive(3, edit('for an hour or so'));
  await receive(4, reaction('❤'));
  expect(await expire(HOUR_MS - 1)).toEqual([]);
  store.close();
  store = await Store.open('nightlight', () => undefined);
  ({ timeline } = store);
  expect(await expire(HOUR_MS)).toEqual([key(1)]);
  await receive(5, edit('back again'));
  expect((await timeline.messages(ROOM, 10)).map((message) => message.text)).toEqual(['for ever']);
  expect(await left(5)).toEqual(['for ever']);
  expect(timeline.nextEndMs()).toBeNull();
});

it('opens a store of the first version with everything in it', async () => {
  store.close();
  vi.stubGlobal('indexedDB', new IDBFactory());
  const sealing = await makeSealingKey();
  const first = await openDB('nightlight', 1, {
    upgrade(made) {
      for (const name of ['keys', 'records', 'groups']) made.createObjectStore(name);
      made.createObjectStore('messages').createIndex('order', 'order', { unique: true });
      made.createObjectStore('evidence').createIndex('age', 'acceptedAtMs');
    },
  });
  const room: Partial<RoomRecord> = newRoom(ROOM, 'joined', 9, new Uint8Array());
  Reflect.deleteProperty(room, 'lifetimeS');
  const record = { room: ROOM, messageId: key(1), sender: TOMAS, state: 'received', own: false, acceptedAtMs: NOW_MS };
  const stored = { position: 1, record: { ...record, text: 'hello from the lake', seq: 5, problem: null } };
  await first.put('keys', sealing, 'sealing');
  const mark = new Uint8Array();
  await Promise.all(['records', 'groups'].map((name) => first.put(name, mark, 0)));
  await Promise.all(['messages', 'evidence'].map((name) => first.put(name, { sealed: mark }, '')));
  await first.put('records', await seal(sealing, 'record 1', ['rooms', ROOM, room]), 1);
  await first.put('messages', { order: [1, 5, 1], sealed: await seal(sealing, `message ${key(1)}`, stored) }, key(1));
  first.close();
  store = await Store.open('nightlight', () => undefined);
  ({ timeline } = store);
  expect(store.rooms.get(ROOM)).toEqual(newRoom(ROOM, 'joined', 9, new Uint8Array()));
  await receive(2, reaction('❤'));
  const [message] = await timeline.messages(ROOM, 10);
  expect([message?.text, message?.sender, message?.reactions]).toEqual([
    'hello from the lake',
    TOMAS,
    [{ text: '❤', users: [TOMAS] }],
  ]);
});

it('keeps a file when its caption is edited, and nothing of it once the message is deleted or has expired', async () => {
  const seal = { key: fromHex('00'.repeat(16)), nonce: new Uint8Array(12), contentHash: new Uint8Array(32), size: 20 };
  const attachment: Attachment = {
    hub: 'mimi://hub.example' as HubUri,
    blob: '0'.repeat(32) as BlobId,
    seal: { ...seal, aad: new Uint8Array() },
    contentType: 'text/plain',
    filename: '../song.txt',
    description: '',
    preview: null,
  };
  const song = { attachments: [attachment] };
  await receive(1, text('before', song));
  await receive(2, edit('after'));
  expect((await timeline.message(key(1)))?.attachments.map(({ filename, size }) => [filename, size])).toEqual([
    ['song.txt', 4],
  ]);
  expect(await timeline.attachments(key(1))).toEqual([attachment]);
  await receive(3, { ...NOTHING, kind: 'deletion', target: key(1) });
  await receive(4, text('', { ...song, expires: { relative: false, seconds: NOW_MS / 1000 + 60 } }));
  expect(await expire(HOUR_MS)).toEqual([key(4)]);
  for (const number of [1, 4]) {
    expect(await timeline.attachments(key(number))).toEqual([]);
    expect((await store.message(key(number)))?.attachments).toEqual([]);
  }
});
