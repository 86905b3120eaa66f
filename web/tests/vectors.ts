/** Reads the vector files, which are those of the Python tests. */

import { readdirSync, readFileSync } from 'node:fs';

import { type Bytes } from '../src/codec.ts';
import { RemoteProtocolError, VerificationError } from '../src/errors.ts';
import type { RoomUri, UserUri } from '../src/ids.ts';

const FOLDER = new URL('../../tests/vectors/', import.meta.url);

/** The names of all vector files, without their suffix. */
export function vectorNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length));
}

/** The content of `name`.json, which the caller says the shape of. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller's word is all there is
export function readVector<Shape>(name: string): Shape {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')) as Shape;
}

/** What runs each vector file, by the file's name. */
export type Runners = Record<string, () => void>;

interface ContentCase {
  name: string;
  sender: UserUri;
  room: RoomUri;
  salt: string;
  message_id: string;
  franking_tag: string;
  cbor: string;
}

/** The examples of the content draft. */
export const CONTENT_CASES = readVector<{ cases: ContentCase[] }>('mimi-content').cases;

export function fromHex(hex: string): Bytes {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** The check that `action` fails; null if it does not. Other errors go through. */
export async function checkOf(action: () => unknown): Promise<string | null> {
  try {
    await action();
  } catch (error) {
    if (error instanceof RemoteProtocolError || error instanceof VerificationError) return error.check;
    throw error;
  }
  return null;
}
