/** What the first bytes of a picture say, and what is no picture whatever it calls itself. */

import { expect, test } from 'vitest';

import { pictureHead } from '../src/picture.ts';

function bytes(...pieces: (string | number[])[]): Uint8Array {
  return Uint8Array.from(
    pieces.flatMap((piece) =>
      typeof piece === 'string' ? Array.from(piece, (letter) => letter.charCodeAt(0)) : piece,
    ),
  );
}

const PNG = bytes(
  '\x89PNG\r\n\x1a\n',
  [0, 0, 0, 13],
  'IHDR',
  [0, 0, 2, 0, 0, 0, 1, 0],
  new Array(9).fill(0) as number[],
);
const GIF = bytes('GIF89a', [0x00, 0x02, 0x00, 0x01, 0, 0]);
const JPEG = bytes(
  [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xe1, 0, 3, 9],
  [0xff, 0xc2, 0, 11, 8, 1, 0, 2, 0, 1, 1, 0x11, 0],
);
const EXTENDED = bytes('RIFF', [0, 0, 0, 0], 'WEBPVP8X', [10, 0, 0, 0, 0, 0, 0, 0, 0xff, 1, 0, 0xff, 0, 0]);
const LOSSLESS = bytes(
  'RIFF',
  [0, 0, 0, 0],
  'WEBPVP8L',
  [9, 0, 0, 0, 0x2f, 0xff, 0xc1, 0x3f, 0],
  new Array(6).fill(0) as number[],
);
const LOSSY = bytes('RIFF', [0, 0, 0, 0], 'WEBPVP8 ', [9, 0, 0, 0, 0, 0, 0, 0x9d, 1, 0x2a, 0, 2, 0, 1]);

test.each([
  ['image/png', PNG],
  ['image/gif', GIF],
  ['image/jpeg', JPEG],
  ['image/webp', EXTENDED],
  ['image/webp', LOSSLESS],
  ['image/webp', LOSSY],
])('a picture says its kind and size: %s', (contentType, data) => {
  expect(pictureHead(data)).toEqual({ contentType, width: 512, height: 256 });
});

test.each([PNG, GIF, JPEG, EXTENDED, LOSSLESS, LOSSY])('no beginning of one is more than nothing', (data) => {
  const heads = Array.from(data, (_, length) => pictureHead(data.subarray(0, length)));
  expect(heads.filter((head) => head !== null).every((head) => head.width === 512)).toBe(true);
  expect(heads[8]).toBeNull();
});

test('what unpacks to more pixels than we draw, or to none, is none', () => {
  const large = PNG.slice();
  large.set([0, 0, 0x40, 0, 0, 0, 0x40, 0], 16);
  const empty = PNG.slice();
  empty.set([0, 0, 0, 0], 16);
  expect([pictureHead(large), pictureHead(empty)]).toEqual([null, null]);
});

test.each([
  '',
  '<svg xmlns="http://www.w3.org/2000/svg"/>',
  '<html>',
  '%PDF-1.7',
  'BM',
  '\xff\xd8',
  '\xff\xd8\xff\xd9',
])('what browsers would run, or we do not know, is none: %s', (text) => {
  expect(pictureHead(bytes(text))).toBeNull();
});
