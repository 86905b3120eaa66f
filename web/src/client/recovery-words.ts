/** A recovery key as 24 words, for paper: its 256 bits and a check, by the English list of BIP-39. */

import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';

import { type Bytes, copy } from '../codec.ts';
import { VerificationError } from '../errors.ts';
import { SEED_BYTES } from './seed.ts';

const WORDS = 24;

/** The 24 words of `seed`, 32 bytes, with a space between them. */
export function toWords(seed: Bytes): string {
  return entropyToMnemonic(seed, wordlist);
}

/**
 * The seed of the key that `words` are, however they are spaced and capitalised.
 *
 * Throws `VerificationError` NL-134: not 24 words of the list, or not those that belong together.
 */
export function seedOf(words: string): Bytes {
  const spoken = words.toLowerCase().split(/\s+/).filter(Boolean);
  const seed = spoken.length === WORDS ? entropyOf(spoken.join(' ')) : null;
  if (seed?.length !== SEED_BYTES) {
    throw new VerificationError('NL-134', 'not the 24 words of a recovery key');
  }
  return seed;
}

function entropyOf(words: string): Bytes | null {
  try {
    return copy(mnemonicToEntropy(words, wordlist));
  } catch {
    return null;
  }
}
