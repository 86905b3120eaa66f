/**
 * The safety number: 60 digits that two people compare to know that nobody sits between them.
 *
 * Each side contributes 30 digits over its user URI and account key; the smaller half comes first, so both see the same
 * number. The hash is iterated as in Signal's numeric fingerprint: 30 digits hold 99.7 bits, and every try at another key
 * with the same digits costs 5,200 hashes more.
 */

import { type Bytes, concat, utf8 } from './codec.ts';
import type { UserUri } from './ids.ts';

const ITERATIONS = 5_200;
const LABEL = utf8('NLF1 safety number');
const GROUPS = 6;
const GROUP_BYTES = 5;

/** Who is compared, and their account key: an Ed25519 public key of 32 bytes. */
export interface Side {
  readonly user: UserUri;
  readonly accountKey: Bytes;
}

/** 60 decimal digits, the same whichever side is named first. */
export async function safetyNumber(one: Side, other: Side): Promise<string> {
  return (await Promise.all([half(one), half(other)])).toSorted().join('');
}

/** The number as people read it aloud: twelve groups of five digits. */
export function grouped(number: string): string[] {
  return number.match(/.{1,5}/gu) ?? [];
}

/** 30 digits: six big-endian 5-byte numbers of the last hash, each modulo 100,000. */
async function half({ user, accountKey }: Side): Promise<string> {
  let digest: Bytes = concat(LABEL, accountKey, utf8(user));
  for (let round = 0; round < ITERATIONS; round += 1) {
    digest = new Uint8Array(await crypto.subtle.digest('SHA-512', concat(digest, accountKey)));
  }
  return Array.from({ length: GROUPS }, (_, group) => {
    const chunk = digest.slice(group * GROUP_BYTES, (group + 1) * GROUP_BYTES);
    const number = chunk.reduce((value, byte) => value * 256 + byte, 0);
    return String(number % 100_000).padStart(5, '0');
  }).join('');
}
