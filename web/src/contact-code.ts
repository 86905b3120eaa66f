/**
 * A contact code: somebody's address and account key as one line, to be handed over where the hub cannot change it.
 *
 * Source: `docs/protocol.md`, Contact code.
 */

import { fromBase64, toBase64 } from './bodies.ts';
import { type Bytes, concat, equal, Reader, utf8, writeVector } from './codec.ts';
import { RemoteProtocolError } from './errors.ts';
import { parseUserUri, type UserUri } from './ids.ts';

const ACCOUNT_KEY_BYTES = 32;
const CHECKSUM_BYTES = 4;
const SCHEME = 'nightlight:';
const LABEL = utf8('NLF1 contact code');

/** `accountKey`: an Ed25519 public key of 32 bytes. */
export interface ContactCode {
  readonly user: UserUri;
  readonly accountKey: Bytes;
}

/** `nightlight:` and base64url. */
export async function encodeContactCode({ user, accountKey }: ContactCode): Promise<string> {
  const body = concat(writeVector(utf8(user)), accountKey);
  return SCHEME + toBase64url(concat(body, await checksum(body)));
}

/** What `text`, a code or a link that ends with one, says. Throws `RemoteProtocolError` NL-341, NL-001. */
export async function decodeContactCode(text: string): Promise<ContactCode> {
  const encoded =
    text
      .replace(/^[ \t\r\n]+|[ \t\r\n]+$/gu, '')
      .split(/[:/]/u)
      .at(-1) ?? '';
  const data = fromBase64url(encoded);
  const body = data.slice(0, -CHECKSUM_BYTES);
  if (toBase64url(data) !== encoded || !equal(data.slice(-CHECKSUM_BYTES), await checksum(body))) {
    throw new RemoteProtocolError('NL-341', 'not a contact code, or not all of it');
  }
  const reader = new Reader(body);
  const user = parseUserUri(reader.text());
  const accountKey = reader.take(ACCOUNT_KEY_BYTES);
  reader.finish();
  return { user, accountKey };
}

async function checksum(body: Bytes): Promise<Bytes> {
  const digest = await crypto.subtle.digest('SHA-256', concat(LABEL, body));
  return new Uint8Array(digest, 0, CHECKSUM_BYTES);
}

function toBase64url(data: Bytes): string {
  return toBase64(data).replace(/=+$/u, '').replaceAll('+', '-').replaceAll('/', '_');
}

/** Empty if `text` is none. */
function fromBase64url(text: string): Bytes {
  const padding = '='.repeat((4 - (text.length % 4)) % 4);
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/') + padding) ?? new Uint8Array();
}
