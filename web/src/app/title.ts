/** What a room is called: by its name, or by the people in it if it has none. */

import type { RoomSummary } from '../client/events.ts';
import { handleOf, type UserUri } from '../ids.ts';
import { written } from './address.ts';
import { neutralised } from './text.ts';
import { say } from './words.ts';

/** `others`: everyone in the room but this person. One is named by the whole address, several by their names. */
export function roomTitle({ name }: Pick<RoomSummary, 'name'>, others: readonly UserUri[]): string {
  if (name !== '') return neutralised(name);
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
