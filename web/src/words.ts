/**
 * Text that mentions people: what is shown, and the markdown in which mentions travel.
 *
 * A mention is a link to a user's URI, as in draft-ietf-mimi-content-08, "Mentions"; it is shown as `@name@provider`,
 * whatever the link calls it.
 */

import { RemoteProtocolError } from './errors.ts';
import { handleOf, parseUserUri, type ProviderName, providerOf, type UserUri, userUri } from './ids.ts';

/** `text` as it is shown, and whom it mentions, in order, each once. */
export interface Words {
  readonly text: string;
  readonly mentions: readonly UserUri[];
}

/** All of ASCII, within a character class. */
const PUNCTUATION = '!-\\/:-@\\[-`\\{-~';
const ESCAPED_OR_LINK = new RegExp(
  `\\\\([${PUNCTUATION}])` +
    `|\\[(?:\\\\[${PUNCTUATION}]|[^\\[\\]\\\\]){0,256}\\]\\((mimi:\\/\\/[a-z0-9._\\/\\-]{1,248})\\)`,
  'gu',
);
/** Where a text calls somebody `@name@provider`, whether there is such a person or not. */
export const WRITTEN = /(?<![a-z0-9._@-])@([a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?)@([a-z0-9]+(?:[.-][a-z0-9]+)*)/gu;
const SPECIAL = new RegExp(`[${PUNCTUATION}]`, 'gu');

/** What `source` says: mentions as `@name@provider`, backslash escapes undone, everything else as it stands. */
export function fromMarkdown(source: string): Words {
  const mentions = new Set<UserUri>();
  const text = source.replaceAll(ESCAPED_OR_LINK, (found: string, escaped?: string, uri?: string) => {
    if (uri === undefined) return escaped ?? found;
    const user = userOrNull(() => parseUserUri(uri));
    if (user === null) return found;
    mentions.add(user);
    return written(user);
  });
  return { text, mentions: Array.from(mentions) };
}

/**
 * Markdown that says `text` and links each of `users` whom it calls `@name@provider`; null if it calls none.
 *
 * What would be markup in `text` is escaped.
 */
export function toMarkdown(text: string, users: readonly UserUri[]): string | null {
  const pieces: string[] = [];
  let done = 0;
  for (const found of text.matchAll(WRITTEN)) {
    const [whole, name = '', provider = ''] = found;
    const user = userOrNull(() => userUri(provider as ProviderName, name));
    if (user === null || !users.includes(user)) continue;
    pieces.push(escape(text.slice(done, found.index)), `[@${escape(whole.slice(1))}](${user})`);
    done = found.index + whole.length;
  }
  return pieces.length === 0 ? null : [...pieces, escape(text.slice(done))].join('');
}

/** `user` as texts call them. */
export function written(user: UserUri): string {
  return `@${handleOf(user)}@${providerOf(user)}`;
}

function userOrNull(read: () => UserUri): UserUri | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof RemoteProtocolError) return null;
    throw error;
  }
}

function escape(text: string): string {
  return text.replaceAll(SPECIAL, '\\$&');
}
