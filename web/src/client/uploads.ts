/** Files on their way out: sealed here, uploaded in chunks, then messages. Each step is durable before the next. */

import { type Attachment, KEY_BYTES, MAX_CONTENT_BYTES, NONCE_BYTES, sealBlob, sealName } from '../attachment.ts';
import type { BlobUpload } from '../bodies.ts';
import type { Bytes } from '../codec.ts';
import { RefusedError, RemoteProtocolError, UnavailableError, VerificationError } from '../errors.ts';
import { safeFilename } from '../filename.ts';
import { fromHex, toHex } from '../hex.ts';
import type { BlobId, HubUri, RoomUri } from '../ids.ts';
import type { Device } from './device.ts';
import type { MessageKey, UploadChanged } from './events.ts';
import type { Hub } from './hub.ts';
import { clean, drawn, previewOf } from './pictures.ts';
import type { Upload } from './records.ts';
import { PIECE_BYTES, type SealedFiles } from './sealed-files.ts';
import type { Store } from './store.ts';
import { random } from './surroundings.ts';

/** How often the hub may have got other bytes than we sent. */
const ATTEMPTS = 3;
const ANYTHING = 'application/octet-stream';

/** What a person sends, as they have it. */
export interface OutgoingFile {
  readonly data: Blob;
  readonly filename: string;
  readonly caption?: string;
  readonly replyTo?: MessageKey | null;
  /** A picture goes as it is, with whatever is in it beside its pixels. */
  readonly original?: boolean;
}

/** What the uploads of a device stand between. `device`: the one at work now. `wake`: it has events. */
export interface Surroundings {
  readonly store: Store;
  readonly hub: Hub;
  readonly files: SealedFiles;
  readonly device: () => Device;
  readonly hubUri: () => Promise<HubUri>;
  readonly wake: () => void;
}

export class Uploads {
  readonly #around: Surroundings;
  #chunksSent = 0;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  get #store(): Store {
    return this.#around.store;
  }

  // --- what a person does

  /**
   * The file is sealed here, and its upload durable; with the same `salt`, 16 random bytes, once.
   *
   * Throws `RefusedError` as `Author.text`; `too_large`: more than 100 MB; `malformed`: a picture that cannot be made
   * anew. Throws `StoreError`.
   */
  async send(room: RoomUri, file: OutgoingFile, salt: Bytes): Promise<string> {
    const uploadId = toHex(salt);
    if (this.#store.uploads.get(uploadId) !== null) return uploadId;
    const { data, caption = '', replyTo = null, original = false } = file;
    await this.#around.device().wouldSay((author) => author.text(room, caption, { replyTo }, salt));
    if (data.size > MAX_CONTENT_BYTES) throw new RefusedError('too_large');
    const { content, contentType, preview } = await prepared(data, original);
    const { blob, seal } = await sealBlob(content, random(KEY_BYTES), random(NONCE_BYTES));
    await this.#around.files.append(seal, 0, blob);
    const filename = safeFilename(file.filename);
    await this.#put({
      uploadId,
      room,
      seal,
      contentType,
      filename,
      preview,
      caption,
      replyTo,
      blob: null,
      problem: null,
    });
    await this.#around.files.trim(await this.wanted());
    return uploadId;
  }

  /** The upload is gone, here and at the hub. Throws `RefusedError` `not_found`: it is no upload any more. */
  async cancel(uploadId: string): Promise<void> {
    const upload = this.#store.uploads.get(uploadId);
    if (upload === null) throw new RefusedError('not_found');
    await this.#write(() => {
      this.#store.uploads.delete(uploadId);
    });
    this.#tell(upload, { sent: 0, reason: 'cancelled' });
    await this.#remove(upload);
  }

  /** The names of sealed files that are still to be sent. */
  async wanted(): Promise<Set<string>> {
    return new Set(await Promise.all(this.#store.uploads.values().map(({ seal }) => sealName(seal))));
  }

  // --- the work

  /** Every upload has become a message, or never will. Throws `UnavailableError`, `StoreError`. */
  async goOn(): Promise<void> {
    for (const { uploadId, problem } of this.#store.uploads.values()) {
      if (problem !== null) continue;
      try {
        await this.#finishInSpiteOfCuts(uploadId);
      } catch (error) {
        if (error instanceof RefusedError) await this.#fail(uploadId, error.problem);
        else if (error instanceof RemoteProtocolError || error instanceof VerificationError) {
          await this.#fail(uploadId, 'internal');
        } else throw error;
      }
    }
  }

  /** As `#finish`, which is tried again at once for as long as it gets further. */
  async #finishInSpiteOfCuts(uploadId: string): Promise<void> {
    for (;;) {
      const upload = this.#store.uploads.get(uploadId);
      if (upload === null) return;
      const before = this.#chunksSent;
      try {
        await this.#finish(upload);
        return;
      } catch (error) {
        if (!(error instanceof UnavailableError) || this.#chunksSent === before) throw error;
      }
    }
  }

  async #finish(waiting: Upload): Promise<void> {
    let upload = waiting;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const state = await this.#begin(upload);
      if (!(await this.#sendChunks(upload, state))) return;
      try {
        await this.#around.hub.finishUpload(state.blob, upload.seal.contentHash);
        await this.#becomeMessage(upload, state.blob);
        return;
      } catch (error) {
        if (!(error instanceof RefusedError) || error.problem !== 'invalid_blob') throw error;
      }
      await this.#put((upload = { ...upload, blob: null }));
      await this.#around.hub.removeBlob(state.blob);
    }
    throw new RefusedError('invalid_blob');
  }

  /** Where to go on; from the beginning if the hub knows nothing of it. */
  async #begin(upload: Upload): Promise<BlobUpload> {
    const { hub } = this.#around;
    if (upload.blob !== null) {
      try {
        return await hub.upload(upload.blob);
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
      }
    }
    const state = await hub.beginUpload(upload.seal.size);
    if (this.#isWanted(upload)) await this.#put({ ...upload, blob: state.blob });
    return state;
  }

  /** All of it is at the hub; false when its person has cancelled it. */
  async #sendChunks(upload: Upload, begun: BlobUpload): Promise<boolean> {
    const { hub, files } = this.#around;
    const { size } = upload.seal;
    let state = begun;
    // What is kept here is kept in pieces: chunks are read in whole ones.
    if (state.chunkBytes % PIECE_BYTES !== 0) throw new RemoteProtocolError('NL-541', 'chunks of another size');
    while (state.received < size && this.#isWanted(upload)) {
      this.#tell(upload, { sent: state.received });
      const chunk = await files.read(upload.seal, state.received, Math.min(state.chunkBytes, size - state.received));
      if (chunk.length === 0) throw new RefusedError('not_found');
      const following = await hub.appendChunk(state.blob, state.received, chunk);
      if (following.received <= state.received) throw new UnavailableError('an upload does not go on');
      state = following;
      this.#chunksSent += 1;
    }
    return this.#isWanted(upload);
  }

  #isWanted({ uploadId }: Upload): boolean {
    return this.#store.uploads.get(uploadId) !== null;
  }

  async #becomeMessage(upload: Upload, blob: BlobId): Promise<void> {
    const { uploadId, room, seal, contentType, filename, preview, caption, replyTo } = upload;
    const hub = await this.#around.hubUri();
    const attachment: Attachment = { hub, blob, seal, contentType, filename, description: '', preview };
    const messageId = await this.#around
      .device()
      .becomeMessage(uploadId, (author) => author.text(room, caption, { replyTo }, fromHex(uploadId), [attachment]));
    if (messageId !== null) this.#tell(upload, { sent: seal.size, messageId });
  }

  async #fail(uploadId: string, problem: RefusedError['problem']): Promise<void> {
    const upload = this.#store.uploads.get(uploadId);
    if (upload === null) return;
    await this.#put({ ...upload, problem });
    this.#tell(upload, { sent: 0, reason: problem });
    await this.#remove(upload);
  }

  /** The hub is asked to forget it, once: if it is not heard, an upload goes after a day. */
  async #remove({ blob }: Upload): Promise<void> {
    if (blob !== null) await this.#around.hub.removeBlob(blob).catch(() => undefined);
  }

  #put(upload: Upload): Promise<void> {
    return this.#write(() => {
      this.#store.uploads.put(upload.uploadId, upload);
    });
  }

  #write(work: () => void): Promise<void> {
    return this.#around.device().alone(() => this.#store.transaction(work));
  }

  #tell(
    { uploadId, room, seal }: Upload,
    { sent, messageId = null, reason = null }: Pick<UploadChanged, 'sent'> & Partial<UploadChanged>,
  ): void {
    this.#around
      .device()
      .events.push({ kind: 'upload_changed', uploadId, room, sent, size: seal.size, messageId, reason });
    this.#around.wake();
  }
}

/** What is sealed, and what the message says of it. Throws `RefusedError` `malformed`. */
async function prepared(
  data: Blob,
  original: boolean,
): Promise<{ content: Bytes; contentType: string; preview: Upload['preview'] }> {
  const content = new Uint8Array(await data.arrayBuffer());
  const contentType = data.type === '' ? ANYTHING : data.type;
  const picture = await drawn(content);
  if (picture === null) {
    // What calls itself a picture may hold a place or a name, and we cannot take them out.
    if (!original && contentType.startsWith('image/')) throw new RefusedError('malformed');
    return { content, contentType, preview: null };
  }
  const preview = await previewOf(picture.bitmap);
  if (original) return { content, contentType, preview };
  const made = await clean(picture.bitmap, picture.contentType);
  if (made === null) throw new RefusedError('malformed');
  return { ...made, preview };
}
