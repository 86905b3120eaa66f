import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { lookalike, outline, readAddress, written, wrongHandle } from '../src/app/address.ts';
import { Refresher } from '../src/app/refresher.ts';
import { hrefOf, readRoute, type Route } from '../src/app/route.ts';
import { clipped, isInvisible, neutralised, preview } from '../src/app/text.ts';
import { culpritOf, timeline, withTail } from '../src/app/timeline.ts';
import { roomTitle } from '../src/app/title.ts';
import later from '../src/app/words/en-more.json';
import english from '../src/app/words/en.json';
import { dayOf, say, whenShort } from '../src/app/words.ts';
import type { FaultSeen, Message } from '../src/client/events.ts';
import type { ProviderName, RoomUri, TimestampMs, UserUri } from '../src/ids.ts';

const COURIER = 'courier.example' as ProviderName;
const MIRA = 'mimi://courier.example/u/mira' as UserUri;
const TOMAS = 'mimi://gallery.example/u/tomas' as UserUri;
const ROOM = 'mimi://courier.example/r/harbour' as RoomUri;
const NOON = new Date(2026, 10, 25, 12).getTime();
const HOUR = 3_600_000;

describe('addresses', () => {
  test.each([
    ['tomas@gallery.example', TOMAS],
    ['  tomas@gallery.example ', TOMAS],
    ['mimi://gallery.example/u/tomas', TOMAS],
    ['mira', MIRA],
    ['', null],
    ['Tomas@gallery.example', null],
    ['tomas@gallery.example@ring.example', null],
    ['mimi://gallery.example/d/tomas/phone', null],
    ['<b>tomas</b>@gallery.example', null],
  ])('%s is read', (text, user) => {
    expect(readAddress(text, COURIER)).toBe(user);
  });

  test('an address is written whole', () => {
    expect(written(TOMAS)).toBe('tomas@gallery.example');
  });

  test.each([
    ['mira', null],
    ['a', null],
    ['a'.repeat(32), null],
    ['', 'welcome.handle.empty'],
    ['Mira', 'welcome.handle.characters'],
    ['mira m', 'welcome.handle.characters'],
    ['mirа', 'welcome.handle.characters'],
    ['.mira', 'welcome.handle.edges'],
    ['mira-', 'welcome.handle.edges'],
    ['a'.repeat(33), 'welcome.handle.long'],
  ])('the name %s has this wrong with it', (handle, wrong) => {
    expect(wrongHandle(handle)).toBe(wrong);
  });

  test.each(['tornas', 't0mas', 'to.mas', 'tom_as', 'toma5'])('%s may be taken for tomas', (handle) => {
    const user = `mimi://ring.example/u/${handle}` as UserUri;
    expect(lookalike(user, [MIRA, TOMAS])).toBe(TOMAS);
  });

  test('the same name at another app is another person, and one is not a look-alike of oneself', () => {
    expect(lookalike('mimi://ring.example/u/mira' as UserUri, [MIRA])).toBe(MIRA);
    expect(lookalike(MIRA, [MIRA, TOMAS])).toBeNull();
    expect(outline(MIRA)).not.toBe(outline(TOMAS));
  });
});

describe('text', () => {
  test('what turns letters around or steers is shown as its number', () => {
    expect(neutralised('a\u202eb\u0007c\rd\r\ne\tf')).toBe('a⟨U+202E⟩b⟨U+0007⟩c⟨U+000D⟩d\ne\tf');
    expect(neutralised('\ud83d')).toBe('\ufffd');
  });

  test('what languages and emoji need stays', () => {
    const text = '\u2068مرحبا\u2069 \u200fשלום 👩‍👩‍👧 क्‍ष';
    expect(neutralised(text)).toBe(text);
  });

  test.each(['', ' \n', '\u200b\u2060', '\u3164', '\u2800', '\u{e0020}'])('%j cannot be seen', (text) => {
    expect(isInvisible(text)).toBe(true);
  });

  test('a short text is whole, a long one ends between two letters', () => {
    expect(clipped('hello')).toBe('hello');
    const family = '👩‍👩‍👧‍👦';
    const short = clipped(family.repeat(1_000));
    expect(short.length).toBeLessThanOrEqual(2_000);
    expect(short.length % family.length).toBe(0);
    expect(clipped('a'.repeat(1_999) + '👍')).toBe('a'.repeat(1_999));
    expect(clipped('line\n'.repeat(1_000)).split('\n')).toHaveLength(24);
  });

  test('one letter that is longer than all that is shown is cut', () => {
    expect(clipped('e' + '\u0301'.repeat(5_000))).toHaveLength(2_000);
  });

  test('a list shows the first line', () => {
    expect(preview({ text: '\n one\ntwo', deleted: false, attachments: [] })).toBe('one');
    expect(preview({ text: 'x'.repeat(500), deleted: false, attachments: [] })).toHaveLength(120);
    expect(preview({ text: '\u200b', deleted: false, attachments: [] })).toBe('(nothing that can be seen)');
    expect(preview({ text: '', deleted: true, attachments: [] })).toBe('Deleted');
  });
});

function message(id: string, atMs: number | null, sender: UserUri = TOMAS): Message {
  const state = atMs === null ? 'queued' : 'received';
  const acceptedAtMs = atMs as TimestampMs | null;
  return {
    room: ROOM,
    messageId: id,
    sender,
    text: id,
    state,
    own: sender === MIRA,
    acceptedAtMs,
    attachments: [],
    replyTo: null,
    mentions: [],
    reactions: [],
    edited: false,
    deleted: false,
    forwarded: 0,
    lifetimeS: null,
    expiresAtMs: null,
  };
}

function fault(check: string, atMs: number): FaultSeen {
  return { kind: 'fault_seen', room: ROOM, check, culprit: 'hub', atMs: atMs as TimestampMs };
}

describe('timeline', () => {
  test('days, runs and what is new', () => {
    const messages = [
      message('a', NOON - 30 * HOUR),
      message('b', NOON - HOUR),
      message('c', NOON - HOUR + 1_000),
      message('d', NOON - HOUR + 2_000, MIRA),
      message('e', null, MIRA),
    ];
    const rows = timeline(messages, [], 'c', NOON);
    expect(rows.map((row) => (row.kind === 'message' ? row.key : row.kind))).toEqual(
      ['day', 'a', 'day', 'b', 'new', 'c', 'd', 'e'], // what is new begins a run
    );
    const runs = rows.flatMap((row) => (row.kind === 'message' ? [[row.key, row.first, row.last]] : []));
    expect(runs).toEqual([
      ['a', true, true],
      ['b', true, true],
      ['c', true, true],
      ['d', true, true],
      ['e', true, true],
    ]);
    expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
  });

  test('what one person says at once is one run', () => {
    const rows = timeline([message('a', NOON), message('b', NOON + 1), message('c', NOON + 2)], [], null, NOON);
    expect(rows.slice(1).map((row) => row.kind === 'message' && [row.first, row.last])).toEqual([
      [true, false],
      [false, false],
      [false, true],
    ]);
  });

  test('faults stand where they were seen, equal ones together', () => {
    const faults = [
      fault('NL-143', NOON - 5),
      fault('NL-143', NOON + 1),
      fault('NL-143', NOON + 2),
      fault('NL-145', NOON + 4),
    ];
    const rows = timeline([message('a', NOON), message('b', NOON + 3)], faults, null, NOON);
    expect(rows.map((row) => (row.kind === 'faults' ? `${row.check} ${row.count}` : row.kind))).toEqual([
      'day',
      'message',
      'NL-143 2',
      'message',
      'NL-145 1',
    ]);
  });

  test('a conversation in which everything failed says so', () => {
    expect(timeline([], [fault('NL-143', NOON)], null, NOON)).toHaveLength(1);
  });

  test('a fault is laid at a person or at the hub', () => {
    expect(culpritOf('mimi://gallery.example/d/tomas/phone')).toBe(TOMAS);
    expect(culpritOf(TOMAS)).toBe(TOMAS);
    expect(culpritOf('hub')).toBeNull();
  });

  test('what is newest replaces what was known of it', () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id, at) => message(id, NOON + at)) as [
      Message,
      Message,
      Message,
      Message,
    ];
    expect(withTail([a, b, c], [b, c, d])).toEqual([a, b, c, d]);
    expect(withTail([a, b], [a, b])).toEqual([a, b]);
    expect(withTail([a], [c, d])).toBeNull();
    expect(withTail([a], [])).toEqual([]);
  });
});

describe('screens', () => {
  test.each<Route>([
    { screen: 'rooms' },
    { screen: 'contacts' },
    { screen: 'new' },
    { screen: 'settings' },
    { screen: 'contact', code: 'HG1pbWk6Ly9j' },
    { screen: 'room', room: ROOM },
    { screen: 'people', room: ROOM },
  ])('$screen has an address', (route) => {
    expect(readRoute(hrefOf(route))).toEqual(route);
  });

  test.each(['', '#', '#/', '#/nothing', '#/room', '#/room/courier.example', '#/room/COURIER/x', '#/room/a/<b>'])(
    '%j is the list of conversations',
    (hash) => {
      expect(readRoute(hash)).toEqual({ screen: 'rooms' });
    },
  );

  test('no address names a person', () => {
    expect(hrefOf({ screen: 'room', room: ROOM })).toBe('#/room/courier.example/harbour');
  });
});

describe('words', () => {
  const sources = readdirSync(new URL('../src/app/', import.meta.url))
    .filter((name) => /\.(svelte|ts)$/u.test(name))
    .map((name) => readFileSync(new URL(`../src/app/${name}`, import.meta.url), 'utf8'))
    .concat(readFileSync(new URL('../src/App.svelte', import.meta.url), 'utf8'))
    .join('\n');
  const built = ['connection', 'message', 'settings.theme', 'storage'];

  test('every entry of both catalogues is said somewhere, and is in one of them', () => {
    const unsaid = Object.keys({ ...english, ...later }).filter(
      (key) =>
        !sources.includes(`'${key}'`) &&
        !built.some((start) => key.startsWith(`${start}.`) && sources.includes(`\`${start}.`)),
    );
    expect(unsaid).toEqual([]);
    expect(Object.keys(english).filter((key) => key in later)).toEqual([]);
  });

  test('one and several', () => {
    expect(say('rooms.unread', { count: 1 })).toBe('1 unread message');
    expect(say('rooms.unread', { count: 2 })).toBe('2 unread messages');
    expect(say('room.said', { person: 'mira', text: '{person}' })).toBe('mira: {person}');
  });

  test('days are named as people name them', () => {
    expect(dayOf(NOON, NOON)).toBe('Today');
    expect(dayOf(NOON - 13 * HOUR, NOON)).toBe('Yesterday');
    expect(dayOf(NOON - 72 * HOUR, NOON)).toBe('Sunday');
    expect(dayOf(NOON - 24 * 30 * HOUR, NOON)).toContain('2026');
    expect(dayOf(NOON + 72 * HOUR, NOON)).toContain('2026');
    expect(whenShort(NOON - 13 * HOUR, NOON)).toBe('Yesterday');
  });

  test('rooms are called by who is in them', () => {
    expect(roomTitle({ name: '' }, [])).toBe('Nobody else');
    expect(roomTitle({ name: '' }, [TOMAS])).toBe('tomas@gallery.example');
    expect(roomTitle({ name: '' }, [MIRA, TOMAS])).toBe('mira, tomas');
    expect(roomTitle({ name: 'Harbour \u202ewalk' }, [MIRA])).toBe('Harbour ⟨U+202E⟩walk');
    const other = 'mimi://ring.example/u/tomas' as UserUri;
    expect(roomTitle({ name: '' }, [MIRA, TOMAS, other])).toBe('mira, tomas@gallery.example, tomas@ring.example');
  });
});

describe('refreshing', () => {
  const never = (): void => {
    throw new Error('it failed');
  };

  test('who asks while it is under way is answered by another run, once', async () => {
    let runs = 0;
    let resolve = (): void => undefined;
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    const refresher = new Refresher(async () => {
      runs += 1;
      if (runs === 1) await promise;
    }, never);
    const all = [refresher.refresh(), refresher.refresh(), refresher.refresh()];
    resolve();
    await Promise.all(all);
    expect(runs).toBe(2);
  });

  test('a run that fails is not the last', async () => {
    let runs = 0;
    const failures: unknown[] = [];
    const refresher = new Refresher(
      () => {
        runs += 1;
        return runs === 1 ? Promise.reject(new Error('no')) : Promise.resolve();
      },
      (error) => failures.push(error),
    );
    await refresher.refresh();
    await refresher.refresh();
    expect(runs).toBe(2);
    expect(failures).toEqual([new Error('no')]);
  });
});
