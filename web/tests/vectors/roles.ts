/** Who may do what in a room. */

import { expect, test } from 'vitest';

import type { DeviceUri, UserUri } from '../../src/ids.ts';
import { decodeRoles, encodeRoles, follow } from '../../src/roles.ts';
import { checkOf, fromHex, readVector, type Runners, toHex } from '../vectors.ts';

interface File {
  steps: {
    name: string;
    before: string;
    committer: UserUri;
    present: DeviceUri[];
    added: DeviceUri[];
    removed: DeviceUri[];
    revoked: DeviceUri[];
    given: string;
    after: string | null;
    check: string | null;
  }[];
  refused: { name: string; bytes: string; check: string }[];
}

export const RUNNERS: Runners = {
  roles: () => {
    const { steps, refused } = readVector<File>('roles');
    test.each(steps)('$name', async ({ before, after, check, given, present, revoked, ...step }) => {
      let found: string | null = null;
      const failed = await checkOf(() => {
        found = toHex(
          encodeRoles(
            follow(decodeRoles(fromHex(before)), {
              ...step,
              present: new Set(present),
              revoked: new Set(revoked),
              given: decodeRoles(fromHex(given)),
            }),
          ),
        );
      });
      expect([found, failed]).toEqual([after, check]);
    });
    test.each(refused)('no list of roles: $name', async ({ bytes, check }) => {
      expect(await checkOf(() => decodeRoles(fromHex(bytes)))).toBe(check);
    });
  },
};
