/** This person's recovery key, from a device that may sign. Loaded when it is needed, with its list of words. */

import type { Bytes } from '../codec.ts';
import type { DeviceUri } from '../ids.ts';
import type { DeviceLinks } from './device-links.ts';
import { seedOf, toWords } from './recovery-words.ts';
import { keyOfSeed, SEED_BYTES } from './seed.ts';
import { random } from './surroundings.ts';

/**
 * A new recovery key is this person's, in place of any before: its 24 words, which are kept nowhere.
 *
 * Throws `RefusedError` `not_allowed`: this device may not sign.
 */
export async function makeRecoveryKey(links: DeviceLinks): Promise<string> {
  const seed: Bytes = random(SEED_BYTES);
  await links.setRecoveryKey((await keyOfSeed(seed)).publicKey);
  return toWords(seed);
}

/** The device, which held the account key, is signed out; `words` vouch for the next. Throws `VerificationError` NL-134. */
export async function removeByWords(links: DeviceLinks, which: DeviceUri, words: string): Promise<void> {
  await links.remove(which, await keyOfSeed(seedOf(words)));
}
