/**
 * Attachments: a file sealed under a key of its own, as a blob at the hub; the key stands in the message.
 *
 * AES-GCM does not commit to its key: one ciphertext may open to two things under two keys. So whatever keeps opened or
 * sealed attachments names them by `sealName`, in which the key takes part.
 *
 * Source: draft-ietf-mimi-content-08, "External content"; `docs/protocol.md`, Attachments.
 */

import { type Bytes, concat, equal, u16, writeVector } from './codec.ts';
import { RemoteProtocolError, VerificationError } from './errors.ts';
import { toHex } from './hex.ts';
import { type BlobId, type HubUri, parseBlobId, parseHubUri } from './ids.ts';
import { Disposition, type ExternalPart, type Part, PartSemantics } from './part.ts';

/** IANA, AEAD Algorithms. */
const AES_128_GCM = 1;
/** IANA, Named Information Hash Algorithms. */
const SHA_256 = 1;
export const KEY_BYTES = 16;
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;
const HASH_BYTES = 32;
export const MAX_CONTENT_BYTES = 100_000_000;
export const MAX_PREVIEW_BYTES = 12_000;
const MIMI = 'mimi://';
const PREVIEW_TYPES: ReadonlySet<string> = new Set(['image/jpeg', 'image/webp', 'image/png']);

const URL_OF_A_BLOB = /^https:\/\/([^/]+)\/v1\/blobs\/([0-9a-f]{32})$/;

/** How a blob is sealed. `size`: bytes of ciphertext and tag; `contentHash`: their SHA-256. */
export interface Seal {
  readonly key: Bytes;
  readonly nonce: Bytes;
  readonly contentHash: Bytes;
  readonly size: number;
  readonly aad: Bytes;
}

/** What a message says of a file at `hub`. `filename` and `contentType` are its sender's words. */
export interface Attachment {
  readonly hub: HubUri;
  readonly blob: BlobId;
  readonly seal: Seal;
  readonly contentType: string;
  readonly filename: string;
  readonly description: string;
  /** A small picture inside the message, or null. */
  readonly preview: Preview | null;
}

export interface Preview {
  readonly contentType: string;
  readonly content: Bytes;
}

/** 64 hexadecimal digits that stand for algorithm, key, nonce, additional data and hash together. */
export async function sealName(seal: Seal): Promise<string> {
  const fields = [seal.key, seal.nonce, seal.aad].map(writeVector);
  return toHex(
    await sha256(concat(u16(AES_128_GCM), ...fields, new Uint8Array([SHA_256]), writeVector(seal.contentHash))),
  );
}

// --- in a message ---------------------------------------------------------------------------------------------------

/** The body of a message with `attachments`, at least one, and a caption if there is one. */
export function attachmentBody(attachments: readonly Attachment[], caption: Part | null = null): Part {
  const parts: Part[] = caption === null ? [] : [caption];
  for (const attachment of attachments) {
    const { preview } = attachment;
    if (preview !== null) parts.push({ kind: 'single', disposition: Disposition.preview, language: '', ...preview });
    parts.push(externalPart(attachment));
  }
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  return { kind: 'multi', disposition: Disposition.render, language: '', semantics: PartSemantics.singleUnit, parts };
}

function externalPart(attachment: Attachment): ExternalPart {
  const { seal } = attachment;
  return {
    kind: 'external',
    disposition: Disposition.attachment,
    language: '',
    contentType: attachment.contentType,
    url: `https://${attachment.hub.slice(MIMI.length)}/v1/blobs/${attachment.blob}`,
    expiresS: 0,
    size: seal.size,
    encryptionAlgorithm: AES_128_GCM,
    key: seal.key,
    nonce: seal.nonce,
    aad: seal.aad,
    hashAlgorithm: SHA_256,
    contentHash: seal.contentHash,
    description: attachment.description,
    filename: attachment.filename,
  };
}

/**
 * Every attachment in `body`, in order; each has the preview that stands right before it.
 *
 * Throws `RemoteProtocolError` NL-150 to NL-153.
 */
export function readAttachments(body: Part): Attachment[] {
  if (body.kind === 'external') return [readAttachment(body, null)];
  if (body.kind !== 'multi') return [];
  return body.parts.flatMap((part, at) =>
    part.kind === 'external' ? [readAttachment(part, previewOf(body.parts[at - 1]))] : readAttachments(part),
  );
}

function previewOf(part: Part | undefined): Preview | null {
  if (part?.kind !== 'single' || part.disposition !== Disposition.preview) return null;
  const { contentType, content } = part;
  return PREVIEW_TYPES.has(contentType) && content.length <= MAX_PREVIEW_BYTES ? { contentType, content } : null;
}

function readAttachment(part: ExternalPart, preview: Preview | null): Attachment {
  const { key, nonce, aad, contentHash, contentType, filename, description } = part;
  if (part.encryptionAlgorithm !== AES_128_GCM || key.length !== KEY_BYTES || nonce.length !== NONCE_BYTES) {
    throw new RemoteProtocolError('NL-150', 'an attachment that is not sealed with AES-128-GCM');
  }
  if (part.hashAlgorithm !== SHA_256 || contentHash.length !== HASH_BYTES) {
    throw new RemoteProtocolError('NL-151', 'an attachment without a SHA-256 of its ciphertext');
  }
  if (part.size < TAG_BYTES || part.size > MAX_CONTENT_BYTES + TAG_BYTES) {
    throw new RemoteProtocolError('NL-152', 'an attachment without a size, or over 100 MB');
  }
  const seal = { key, nonce, contentHash, size: Number(part.size), aad };
  return { ...placeOf(part.url), seal, contentType, filename, description, preview };
}

/** The hub and the blob that `url` names. No client asks anybody but its own hub, whatever a sender writes. */
function placeOf(url: string): { hub: HubUri; blob: BlobId } {
  const [, host, blob] = URL_OF_A_BLOB.exec(url) ?? [];
  try {
    if (host !== undefined && blob !== undefined) return { hub: parseHubUri(MIMI + host), blob: parseBlobId(blob) };
  } catch (error) {
    if (!(error instanceof RemoteProtocolError)) throw error;
  }
  throw new RemoteProtocolError('NL-153', 'an attachment that is not a blob at a hub');
}

// --- sealing and opening --------------------------------------------------------------------------------------------

/** `plain` sealed. `key`, 16 fresh random bytes, seals nothing else; `nonce`: 12 random bytes. */
export async function sealBlob(plain: Bytes, key: Bytes, nonce: Bytes): Promise<{ blob: Bytes; seal: Seal }> {
  const aad = new Uint8Array();
  const blob = new Uint8Array(await crypto.subtle.encrypt(gcm(nonce, aad), await importKey(key, 'encrypt'), plain));
  return { blob, seal: { key, nonce, contentHash: await sha256(blob), size: blob.length, aad } };
}

/**
 * What `blob` holds. Its hash is checked before it is decrypted.
 *
 * Throws `VerificationError`: NL-154 (another size), NL-155 (another hash), NL-156 (does not open).
 */
export async function openBlob(seal: Seal, blob: Bytes): Promise<Bytes> {
  if (blob.length !== seal.size) {
    throw new VerificationError('NL-154', 'a blob of another size than its message says');
  }
  if (!equal(await sha256(blob), seal.contentHash)) {
    throw new VerificationError('NL-155', 'a blob with another hash than its message says');
  }
  const key = await importKey(seal.key, 'decrypt');
  try {
    return new Uint8Array(await crypto.subtle.decrypt(gcm(seal.nonce, seal.aad), key, blob));
  } catch {
    throw new VerificationError('NL-156', "a blob that does not open under its message's key");
  }
}

function importKey(key: Bytes, use: 'encrypt' | 'decrypt'): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', key, 'AES-GCM', false, [use]);
}

function gcm(nonce: Bytes, aad: Bytes): AesGcmParams {
  return { name: 'AES-GCM', iv: nonce, additionalData: aad };
}

async function sha256(data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', data));
}
