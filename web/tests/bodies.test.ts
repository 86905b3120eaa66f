import { expect, test } from 'vitest';

import {
  fromBase64,
  readChallenge,
  readClaimedKeyPackages,
  readContacts,
  readDirectory,
  readJson,
  readKeyPackageCount,
  readProblem,
  readRoom,
  readSession,
  readUserDevices,
  toBase64,
} from '../src/bodies.ts';
import { utf8 } from '../src/codec.ts';
import { checkOf } from './vectors.ts';

const KEY = toBase64(new Uint8Array(32).fill(7));
const DEVICES = { user: 'mimi://courier.example/u/ada', account_key: KEY, device_list: 'AQI=' };

/** Each reader, with an answer that is good. */
const ANSWERS: [string, (value: unknown) => unknown, Record<string, unknown>][] = [
  [
    'directory',
    readDirectory,
    { hub: 'mimi://hub.example', providers: ['courier.example'], franking_keys: [KEY, KEY] },
  ],
  ['challenge', readChallenge, { origin: 'https://courier.example', nonce: KEY, expires_at_ms: 1_900_000_000_000 }],
  ['session', readSession, { token: 'token', expires_at_ms: 1_900_000_000_000 }],
  ['user devices', readUserDevices, DEVICES],
  ['key package count', readKeyPackageCount, { remaining: 99, has_last_resort: true }],
  ['claimed key packages', readClaimedKeyPackages, { devices: DEVICES, key_packages: ['AQI=', ''] }],
  [
    'contact',
    (value) => readContacts([value]),
    { user: 'mimi://ring.example/u/cleo', state: 'asked', since_ms: 1_900_000_000_000 },
  ],
  [
    'room',
    readRoom,
    {
      room: 'mimi://courier.example/r/harbour',
      epoch: 3,
      head: 12,
      members: [{ device: 'mimi://courier.example/d/ada/phone', joined_seq: 1, revoked: false, lost: false }],
      participants: [{ user: 'mimi://courier.example/u/ada', role: 'owner' }],
    },
  ],
  ['problem', readProblem, { type: '/problems/wrong_epoch', title: 'x', status: 409, epoch: 8 }],
];

test.each(ANSWERS)('an answer is read, also with members that are not known yet: %s', async (_, read, answer) => {
  expect(await checkOf(() => read(answer))).toBeNull();
  expect(read({ ...answer, more: { to: 'come' } })).toEqual(read(answer));
});

test.each(ANSWERS)('each member of an answer is of its type: %s', async (_, read, answer) => {
  const members = Object.keys(answer).filter((name) => name !== 'title' && name !== 'status');
  for (const name of members) {
    for (const bad of [null, -1, 1.5, 2 ** 53, [1], {}]) {
      const check = await checkOf(() => read({ ...answer, [name]: bad }));
      expect(check, `${name} is ${JSON.stringify(bad)}`).toBe('NL-541');
    }
  }
});

test('a member is left out where the interface says so alone', async () => {
  for (const [kind, read, answer] of ANSWERS) {
    for (const name of Object.keys(answer)) {
      const check = await checkOf(() =>
        read(Object.fromEntries(Object.entries(answer).filter(([key]) => key !== name))),
      );
      const may = kind === 'problem' && name !== 'type';
      expect(check, `${kind} without ${name}`).toBe(may ? null : 'NL-541');
    }
  }
});

test('what is no object is no answer', async () => {
  for (const value of [null, [], 'hello', 1, undefined]) {
    expect(await checkOf(() => readDirectory(value))).toBe('NL-541');
  }
  expect(await checkOf(() => readContacts({}))).toBe('NL-541');
});

test.each([
  ...['1.0', '1e0', '-1', '9007199254740992', '"1"', 'true', 'NaN', '01'],
  ...['1, "more": 1.5', '1, "more": 9007199254740992', String.raw`1, "more": "\ud800"`, String.raw`1, "\ud800": 1`],
  ...[`1, "more": ${'['.repeat(8)}${']'.repeat(8)}`, `1, "more": ${'['.repeat(100_000)}${']'.repeat(100_000)}`],
])('what only some languages read is refused wherever it stands: %.40s', async (odd) => {
  const good = '{"remaining": 1, "has_last_resort": true}';
  const read = (text: string): unknown => readKeyPackageCount(readJson(utf8(text)));
  expect(read(good)).toEqual({ remaining: 1, hasLastResort: true });
  expect(await checkOf(() => read(good.replace('1', () => odd)))).toBe('NL-541');
});

test('base64 has one form', () => {
  expect(fromBase64('AQI=')).toEqual(new Uint8Array([1, 2]));
  for (const text of ['AQI', 'AQJ=', ' AQI=', 'AQI=\n', 'AQ-_', '=', 'A']) expect(fromBase64(text)).toBeNull();
});
