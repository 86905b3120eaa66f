/** What a client takes from outside: time and randomness. */

import type { Bytes } from '../codec.ts';
import type { TimestampMs } from '../ids.ts';

/** Unix time; it may jump. */
export function now(): TimestampMs {
  return Date.now() as TimestampMs;
}

/** For waiting; it never jumps. */
export function monotonicMs(): number {
  return performance.now();
}

/** Random bytes. */
export function random(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}
