/** What a room is called: rooms have no names, so the people in it are its name. */

import { handleOf, type UserUri } from '../ids.ts';
import { written } from './address.ts';
import { say } from './words.ts';

/** `others`: everyone in the room but this person. One is named by the whole address, several by their names. */
export function roomTitle(others: readonly UserUri[]): string {
  const [first] = others;
  if (first === undefined) return say('room.alone');
  if (others.length === 1) return written(first);
  const names = others.map(handleOf);
  return others
    .map((user, at) =>
      names.indexOf(handleOf(user)) === names.lastIndexOf(handleOf(user)) ? names[at] : written(user),
    )
    .join(', ');
}
