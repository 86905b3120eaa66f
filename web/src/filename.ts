/** Names of files that others chose, made harmless for this machine. */

import { utf8 } from './codec.ts';

export const FALLBACK = 'attachment';
export const MAX_NAME_BYTES = 120;
const MAX_SUFFIX_BYTES = 20;
/** Controls, formats (which reorder a line), what is unassigned or private, surrogates, separators of lines. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** Characters that a file's name cannot have everywhere. */
const SPECIAL = /[<>:"|?*]/g;
/** Names that are devices on Windows, whatever follows the dot. */
const DEVICES = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;
const EDGES = /^[. ]+|[. ]+$/g;

/**
 * `name` without folders, hidden or reordering characters and leading dots, at most 120 bytes of UTF-8.
 *
 * What names a device is `_` before it; what leaves nothing is `attachment`. A suffix of up to 20 bytes stays.
 */
export function safeFilename(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  const shown = last
    .replace(UNSEEN, '')
    .replace(SPECIAL, '_')
    .replace(/\p{Zs}/gu, ' ')
    .replace(EDGES, '');
  const seen = DEVICES.test(shown) ? `_${shown}` : shown;
  const dot = seen.lastIndexOf('.');
  const suffixed = dot > 0 && utf8(seen.slice(dot + 1)).length <= MAX_SUFFIX_BYTES;
  const [stem, suffix] = suffixed ? [seen.slice(0, dot), seen.slice(dot)] : [seen, ''];
  const short = cut(stem, MAX_NAME_BYTES - utf8(suffix).length).replace(/[. ]+$/, '');
  return short === '' ? FALLBACK : short + suffix;
}

function cut(text: string, bytesMax: number): string {
  let kept = '';
  let bytes = 0;
  for (const character of text) {
    bytes += utf8(character).length;
    if (bytes > bytesMax) break;
    kept += character;
  }
  return kept;
}
