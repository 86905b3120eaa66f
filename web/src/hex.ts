/** Hexadecimal, in which ids are named wherever they are not on the wire. */

import type { Bytes } from './codec.ts';

/** Two digits for each byte, in lower case. */
export function toHex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The bytes that `toHex` wrote. */
export function fromHex(hex: string): Bytes {
  return Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}
