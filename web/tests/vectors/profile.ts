/** What a room is called, and how it looks. */

import { expect, test } from 'vitest';

import * as content from '../../src/content.ts';
import type { RoomUri, UserUri } from '../../src/ids.ts';
import { readProfile } from '../../src/profile.ts';
import { checkOf, fromHex, readVector, type Runners, toHex } from '../vectors.ts';

interface File {
  sender: UserUri;
  room: RoomUri;
  salt: string;
  profiles: { name: string; called: string; picture: { content_type: string; data: string } | null; message: string }[];
  others: { name: string; message: string; check: string | null }[];
}

export const RUNNERS: Runners = {
  profile: () => {
    const { sender, room, salt, profiles, others } = readVector<File>('profile');
    test.each(profiles)('a profile is written and read: $name', ({ called, picture, message }) => {
      const icon = picture && { contentType: picture.content_type, data: fromHex(picture.data) };
      const profile = { name: called, picture: icon };
      const written = content.encode(content.profileMessage(fromHex(salt), sender, room, profile));
      expect(toHex(written)).toBe(message);
      expect(readProfile(content.decode(written).body)).toEqual(profile);
    });
    test.each(others)('other content is no profile, or is refused: $name', async ({ message, check }) => {
      const { body } = content.decode(fromHex(message));
      expect(
        await checkOf(() => {
          expect(readProfile(body)).toBeNull();
        }),
      ).toBe(check);
    });
  },
};
