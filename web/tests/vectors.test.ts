import { describe, expect, test } from 'vitest';

import { vectorNames } from './vectors.ts';
import { RUNNERS as attachment } from './vectors/attachment.ts';
import { RUNNERS as content } from './vectors/content.ts';
import { RUNNERS as conversation } from './vectors/conversation.ts';
import { RUNNERS as frames } from './vectors/frames.ts';
import { RUNNERS as franking } from './vectors/franking.ts';
import { RUNNERS as identity } from './vectors/identity.ts';
import { RUNNERS as linking } from './vectors/linking.ts';
import { RUNNERS as profile } from './vectors/profile.ts';
import { RUNNERS as roles } from './vectors/roles.ts';
import { RUNNERS as succession } from './vectors/succession.ts';

const RUNNERS = {
  ...attachment,
  ...content,
  ...conversation,
  ...frames,
  ...franking,
  ...identity,
  ...linking,
  ...profile,
  ...roles,
  ...succession,
};

for (const [name, run] of Object.entries(RUNNERS)) describe(name, run);

test('every vector file that Python runs is run here too', () => {
  expect(Object.keys(RUNNERS).toSorted()).toEqual(vectorNames().toSorted());
});
