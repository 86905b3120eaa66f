/** What client and server say to each other on the WebSocket. */

import { expect, test } from 'vitest';

import { type ClientFrame, encodeFrame, readServerFrame } from '../../src/frames.ts';
import { clientFrame, fieldsOf } from '../frames.ts';
import { checkOf, fromHex, readVector, type Runners, toHex } from '../vectors.ts';
export const RUNNERS: Runners = {
  frames: () => {
    interface Row {
      frame: ClientFrame['frame'];
      fields: Record<string, unknown>;
      bytes: string;
    }
    interface File {
      client: Row[];
      server: Row[];
      read_alike: { name: string; bytes: string; as: string }[];
      refused: { name: string; bytes: string; check: string }[];
    }
    const file = readVector<File>('frames');

    test.each(file.client)('a client’s frame has one encoding: $frame', (row) => {
      expect(toHex(encodeFrame(clientFrame(row.frame, row.fields)))).toBe(row.bytes);
    });

    test.each(file.server)('a server’s frame is read: $frame', (row) => {
      const { frame, ...fields } = readServerFrame(fromHex(row.bytes));
      expect(frame).toBe(row.frame);
      expect(fieldsOf(fields)).toEqual(row.fields);
    });

    test.each(file.read_alike)('a client reads more than a server writes: $name', (row) => {
      expect(readServerFrame(fromHex(row.bytes))).toEqual(readServerFrame(fromHex(row.as)));
    });

    test.each(file.refused)('what is no frame of a server is refused: $name', async (row) => {
      expect(await checkOf(() => readServerFrame(fromHex(row.bytes)))).toBe(row.check);
    });
  },
};
