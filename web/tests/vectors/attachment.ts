/** Files outside the messages: sealed, named, refused. */

import { describe, expect, test } from 'vitest';

import { attachmentBody, readAttachments, openBlob, type Seal, sealBlob, sealName } from '../../src/attachment.ts';
import type { Bytes } from '../../src/codec.ts';
import * as content from '../../src/content.ts';
import { safeFilename } from '../../src/filename.ts';
import { frankingTag } from '../../src/franking.ts';
import type { BlobId, HubUri, RoomUri, UserUri } from '../../src/ids.ts';
import { type Part, TEXT_TYPES } from '../../src/part.ts';
import { checkOf, fromHex, readVector, type Runners, toHex } from '../vectors.ts';

interface SealRow {
  key: string;
  nonce: string;
  aad: string;
  content_hash: string;
  size: number;
}

interface File {
  hub: HubUri;
  sealed: { plain: string; blob: string; seal: SealRow; kept_as: string }[];
  messages: { name: string; cbor: string; attachments: { filename: string; preview: string | null }[] }[];
  'refused messages': { name: string; cbor: string; check: string }[];
  'refused blobs': { name: string; blob: string; seal: SealRow; check: string }[];
}

function sealOf(row: SealRow): Seal {
  return {
    key: fromHex(row.key),
    nonce: fromHex(row.nonce),
    aad: fromHex(row.aad),
    contentHash: fromHex(row.content_hash),
    size: row.size,
  };
}

/** The part, if it is text. */
function captionOf(part: Part | undefined): Part | null {
  return part?.kind === 'single' && TEXT_TYPES.has(part.contentType) ? part : null;
}

export const RUNNERS: Runners = {
  attachment: () => {
    const file = readVector<File>('attachment');

    test.each(file.sealed)('a file is sealed and opened', async ({ plain, blob, seal, kept_as }) => {
      const made = await sealBlob(fromHex(plain), fromHex(seal.key), fromHex(seal.nonce));
      expect(toHex(made.blob)).toBe(blob);
      expect(made.seal).toEqual(sealOf(seal));
      expect(await sealName(made.seal)).toBe(kept_as);
      expect(toHex(await openBlob(sealOf(seal), fromHex(blob)))).toBe(plain);
    });

    test.each(file.messages)('a message names its attachments: $name', ({ name, cbor, attachments }) => {
      const message = content.decode(fromHex(cbor));
      const found = readAttachments(message.body);
      const named = found.map(({ filename, preview }) => ({ filename, preview: preview && toHex(preview.content) }));
      expect(named).toEqual(attachments);
      const hub = name === 'at another hub' ? 'mimi://elsewhere.example' : file.hub;
      expect(found.every((one) => one.hub === hub)).toBe(true);
      const [first] = found;
      if (first === undefined || !['alone', 'with a caption', 'with a preview', 'with both'].includes(name)) return;
      const body = attachmentBody([first], message.body.kind === 'multi' ? captionOf(message.body.parts[0]) : null);
      expect(toHex(content.encode({ ...message, body }))).toBe(cbor);
    });

    test.each(file['refused messages'])('an attachment that fails a check is refused: $name', async (row) => {
      const { body } = content.decode(fromHex(row.cbor));
      expect(await checkOf(() => readAttachments(body))).toBe(row.check);
    });

    test.each(file['refused blobs'])('bytes that are not the blob are refused: $name', async (row) => {
      expect(await checkOf(() => openBlob(sealOf(row.seal), fromHex(row.blob)))).toBe(row.check);
    });
  },

  filename: () => {
    const { names } = readVector<{ names: { name: string; harmless: string }[] }>('filename');

    test.each(names)('a name loses what could do harm: $name', ({ name, harmless }) => {
      expect(safeFilename(name)).toBe(harmless);
      expect(safeFilename(harmless)).toBe(harmless);
    });
  },

  salamander: () => {
    type Name = 'k1' | 'k2' | 'nonce' | 'aad' | 'ciphertext_and_tag' | 'sha256' | 'plaintext_k1' | 'plaintext_k2';
    const file = readVector<Record<Name, string>>('salamander');
    const blob = fromHex(file.ciphertext_and_tag);
    const [first, second] = [sealUnder(fromHex(file.k1)), sealUnder(fromHex(file.k2))];

    function sealUnder(key: Bytes): Seal {
      const { nonce, aad, sha256 } = file;
      return { key, nonce: fromHex(nonce), aad: fromHex(aad), contentHash: fromHex(sha256), size: blob.length };
    }

    test('one ciphertext opens under both keys to different things', async () => {
      expect(toHex(await openBlob(first, blob))).toBe(file.plaintext_k1);
      expect(toHex(await openBlob(second, blob))).toBe(file.plaintext_k2);
      expect(await checkOf(() => openBlob(sealUnder(new Uint8Array(16)), blob))).toBe('NL-156');
    });

    test('what is kept of the two has two names', async () => {
      expect(await sealName(first)).not.toBe(await sealName(second));
    });

    describe('the franked content says which key was meant', () => {
      const hub = 'mimi://hub.example' as HubUri;
      const ada = 'mimi://courier.example/u/ada' as UserUri;
      const harbour = 'mimi://courier.example/r/harbour' as RoomUri;
      const name = { blob: '0123456789abcdef'.repeat(2) as BlobId, contentType: 'image/png', preview: null };

      function message(seal: Seal): Bytes {
        const body = attachmentBody([{ ...name, hub, seal, filename: '', description: '' }]);
        return content.encode({ ...content.textMessage(new Uint8Array(16), ada, harbour, ''), body });
      }

      test.each([first, second])('and it is read', (seal) => {
        expect(readAttachments(content.decode(message(seal)).body).map((found) => found.seal)).toEqual([seal]);
      });

      test('and the tags differ', async () => {
        expect(await frankingTag(message(first))).not.toEqual(await frankingTag(message(second)));
      });
    });
  },
};
