/**
 * A room's name and picture: content like any other, which shows around the conversation instead of in it.
 *
 * Source: draft-ietf-mimi-content-08, "Disposition": profile and icon.
 */

import { type Bytes, readUtf8, utf8 } from './codec.ts';
import { RemoteProtocolError } from './errors.ts';
import { Disposition, type Part, PartSemantics, TEXT_PLAIN } from './part.ts';

export const MAX_NAME_BYTES = 256;
/** So that name and picture fit the padding's bucket of 32 KiB. */
export const MAX_PICTURE_BYTES = 30_000;
const PICTURE_TYPES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/webp']);
const CONTROL = /[\p{Cc}\u2028\u2029]/u;

/** A small picture. `contentType`: PNG, JPEG or WebP. */
export interface Picture {
  readonly contentType: string;
  readonly data: Bytes;
}

/** `name`: one line of at most 256 bytes; empty, if the room has none. */
export interface RoomProfile {
  readonly name: string;
  readonly picture: Picture | null;
}

/** The body of the message that gives a room its profile. */
export function profileBody({ name, picture }: RoomProfile): Part {
  const called = single(TEXT_PLAIN, utf8(name), Disposition.profile);
  if (picture === null) return called;
  const parts = [called, single(picture.contentType, picture.data, Disposition.icon)];
  return { kind: 'multi', semantics: PartSemantics.processAll, parts, disposition: Disposition.profile, language: '' };
}

function single(contentType: string, content: Bytes, disposition: number): Part {
  return { kind: 'single', contentType, content, disposition, language: '' };
}

/** The profile that `body` is, or null if it is none. Throws `RemoteProtocolError` NL-177. */
export function readProfile(body: Part): RoomProfile | null {
  if (body.disposition !== Disposition.profile || body.kind === 'null') return null;
  const parts = body.kind === 'multi' && body.semantics === PartSemantics.processAll ? body.parts : [body];
  const [called, icon, ...others] = parts;
  const name = called?.kind === 'single' && called.contentType === TEXT_PLAIN ? readUtf8(called.content) : null;
  const picture =
    icon?.kind === 'single' && icon.disposition === Disposition.icon
      ? { contentType: icon.contentType, data: icon.content }
      : null;
  const isWhole =
    called?.disposition === Disposition.profile && others.length === 0 && (picture !== null) === (icon !== undefined);
  if (name === null || !isWhole) {
    throw new RemoteProtocolError('NL-177', 'a profile that is neither a name nor a name and a picture');
  }
  const profile = { name, picture };
  if (!isProfile(profile)) {
    throw new RemoteProtocolError('NL-177', 'a name that is not one line, or too long, or a picture that is none');
  }
  return profile;
}

/** Whether name and picture are within their bounds; whether the picture can be shown is not looked at. */
export function isProfile({ name, picture }: RoomProfile): boolean {
  const isSmall = (length: number): boolean => length > 0 && length <= MAX_PICTURE_BYTES;
  const shows = picture === null || (PICTURE_TYPES.has(picture.contentType) && isSmall(picture.data.length));
  return !CONTROL.test(name) && utf8(name).length <= MAX_NAME_BYTES && shows;
}
