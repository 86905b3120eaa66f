import { expect, test } from 'vitest';

import { MessagePackError, pack, Unpacker } from '../src/msgpack.ts';

test('lengths on both sides of every form are read as they were written', () => {
  for (const length of [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536]) {
    const bytes = new Unpacker(pack(new Uint8Array(length).fill(1)));
    const text = new Unpacker(pack('a'.repeat(length)));
    const array = new Unpacker(pack(Array.from({ length }, () => null)));
    const map = new Unpacker(pack(new Map(Array.from({ length }, (_, at) => [String(at), at]))));
    expect(bytes.bytes()).toHaveLength(length);
    expect(text.text()).toHaveLength(length);
    expect(array.array()).toBe(length);
    expect(map.map()).toBe(length);
    bytes.finish();
    text.finish();
  }
});

test('numbers on both sides of every form are read as they were written', () => {
  for (let bits = 0; bits <= 53; bits += 1) {
    for (const number of [2 ** bits - 1, Math.min(2 ** bits, Number.MAX_SAFE_INTEGER)]) {
      expect(new Unpacker(pack(number)).uint()).toBe(number);
    }
  }
});

test('a tower of a hundred thousand arrays is passed by', () => {
  const tower = new Uint8Array(100_001).fill(0x91);
  tower[100_000] = 0xc0;
  const unpacker = new Unpacker(tower);
  unpacker.skip();
  unpacker.finish();
  expect(() => {
    new Unpacker(tower.subarray(1, 100_000)).skip();
  }).toThrow(MessagePackError);
});
