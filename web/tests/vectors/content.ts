/** What is inside a message, and how long it is outside. */

import { expect, it, test } from 'vitest';

import * as cbor from '../../src/cbor.ts';
import * as content from '../../src/content.ts';
import { frankingTag } from '../../src/franking.ts';
import { ciphertextLength } from '../../src/padding.ts';
import { checkOf, CONTENT_CASES, fromHex, readVector, type Runners, toHex } from '../vectors.ts';
export const RUNNERS: Runners = {
  cbor: () => {
    interface File {
      maps: { name: string; entries: Entries; cbor: string }[];
      refused: { name: string; cbor: string; check: string }[];
    }
    type Entries = [cbor.Key, string | number | Entries][];
    const { maps, refused } = readVector<File>('cbor');

    function mapOf(entries: Entries): Map<cbor.Key, cbor.Value> {
      return new Map(entries.map(([key, value]) => [key, Array.isArray(value) ? mapOf(value) : value]));
    }

    test.each(maps)('a map has one encoding whatever the order it was made in: $name', (row) => {
      const map = mapOf(row.entries);
      expect(toHex(cbor.encode(map))).toBe(row.cbor);
      expect(toHex(cbor.encode(mapOf(row.entries.toReversed())))).toBe(row.cbor);
      expect(cbor.decode(fromHex(row.cbor))).toEqual(map);
    });

    test.each(refused)('what is not the one encoding is refused: $name', async (row) => {
      expect(await checkOf(() => cbor.decode(fromHex(row.cbor)))).toBe(row.check);
    });
  },

  'mimi-content': () => {
    it('has the fourteen examples of the draft', () => {
      expect(CONTENT_CASES).toHaveLength(14);
    });

    test.each(CONTENT_CASES)('an example re-encodes to its bytes, and has its id and tag: $name', async (row) => {
      const data = fromHex(row.cbor);
      const message = content.decode(data);
      expect(toHex(content.encode(message))).toBe(row.cbor);
      expect([content.senderOf(message), content.roomOf(message), toHex(message.salt)]).toEqual([
        row.sender,
        row.room,
        row.salt,
      ]);
      expect(toHex(await content.messageId(row.sender, row.room, data))).toBe(row.message_id);
      expect(toHex(await frankingTag(data))).toBe(row.franking_tag);
    });
  },

  padding: () => {
    const name = 'ciphertext length in bytes by content length in bytes';
    const lengths = Object.entries(readVector<Record<typeof name, Record<string, number>>>('padding')[name]);

    test.each(lengths)('%s bytes of content become %d', (content, ciphertext) => {
      expect(ciphertextLength(Number(content))).toBe(ciphertext);
    });
  },
};
