/** How people are written: `mira@courier.example`. */

import { RemoteProtocolError } from '../errors.ts';
import { handleOf, parseUserUri, type ProviderName, providerOf, type UserUri, userUri } from '../ids.ts';
import type { Words } from './words.ts';

const MAX_HANDLE = 32;

/** The user as people write them. */
export function written(user: UserUri): string {
  return `${handleOf(user)}@${providerOf(user)}`;
}

/** Whom `text` means: name@app, their `mimi:` URI, or a name alone at our own app `here`; null if nobody. */
export function readAddress(text: string, here: ProviderName): UserUri | null {
  const [name = '', provider = here, ...more] = text.trim().split('@');
  try {
    if (name.startsWith('mimi:')) return parseUserUri(text.trim());
    return more.length === 0 ? userUri(provider as ProviderName, name) : null;
  } catch (error) {
    if (error instanceof RemoteProtocolError) return null;
    throw error;
  }
}

/** What is wrong with `handle` as a name, in words; null if nothing is. */
export function wrongHandle(handle: string): Words | null {
  if (handle === '') return 'welcome.handle.empty';
  if (!/^[a-z0-9._-]+$/u.test(handle)) return 'welcome.handle.characters';
  if (handle.length > MAX_HANDLE) return 'welcome.handle.long';
  if (!/^[a-z0-9].*[a-z0-9]$|^[a-z0-9]$/u.test(handle)) return 'welcome.handle.edges';
  return null;
}

/**
 * What somebody who looks quickly takes an address for: two with the same outline may be mistaken for one another.
 *
 * The name alone: the same name at another app is another person too.
 */
export function outline(user: UserUri): string {
  return handleOf(user)
    .replace(/[._-]/gu, '')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
    .replaceAll('cl', 'd')
    .replaceAll('0', 'o')
    .replaceAll('5', 's')
    .replace(/[1i]/gu, 'l')
    .replaceAll('ll', 'l');
}

/** Somebody of `others` whom `user` may be mistaken for, or null. */
export function lookalike(user: UserUri, others: Iterable<UserUri>): UserUri | null {
  const mine = outline(user);
  for (const other of others) if (other !== user && outline(other) === mine) return other;
  return null;
}
