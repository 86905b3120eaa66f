/** Attachments coming in: fetched in ranges, kept sealed, checked, and only then opened. */

import { type Attachment, sealName } from '../attachment.ts';
import type { Bytes } from '../codec.ts';
import { RefusedError, VerificationError } from '../errors.ts';
import { safeFilename } from '../filename.ts';
import type { HubUri } from '../ids.ts';
import { pictureHead } from '../picture.ts';
import type { MessageKey } from './events.ts';
import type { Hub } from './hub.ts';
import { Lock } from './lock.ts';
import type { SealedFiles } from './sealed-files.ts';
import type { Store } from './store.ts';

const RANGE_BYTES = 4 * 2 ** 20;
const ANYTHING = 'application/octet-stream';

/**
 * An opened attachment. `contentType`: that of a picture that may be drawn, by its own bytes; whatever else it is, and
 * whatever its sender calls it, `application/octet-stream`, which no browser renders. `filename` is harmless.
 */
export interface OpenedFile {
  readonly content: Bytes;
  readonly contentType: string;
  readonly filename: string;
}

type Progress = (here: number, size: number) => void;

export class Downloads {
  readonly #store: Store;
  readonly #hub: Hub;
  readonly #files: SealedFiles;
  readonly #fetching = new Map<string, Lock>();

  constructor(store: Store, hub: Hub, files: SealedFiles) {
    this.#store = store;
    this.#hub = hub;
    this.#files = files;
  }

  /**
   * The message's attachment, checked; fetched from `hub`, ours, unless it is here.
   *
   * What came before a failure is kept, and the next call goes on there. `wanted`: names of files that are to stay.
   * Throws `RefusedError` `not_found`; `UnavailableError`; `VerificationError`: NL-154 to NL-156, NL-551 (at another
   * hub); `StoreError`.
   */
  async open(
    messageId: MessageKey,
    number: number,
    hub: HubUri,
    wanted: ReadonlySet<string>,
    progress: Progress,
  ): Promise<OpenedFile> {
    const attachment = (await this.#store.timeline.attachments(messageId))[number];
    if (attachment === undefined) throw new RefusedError('not_found');
    const name = await sealName(attachment.seal);
    const lock = this.#fetching.get(name) ?? new Lock();
    this.#fetching.set(name, lock);
    const content = await lock.hold(() => this.#content(attachment, hub, progress));
    await this.#files.trim(new Set([...wanted, name]));
    const contentType = pictureHead(content)?.contentType ?? ANYTHING;
    return { content, contentType, filename: safeFilename(attachment.filename) };
  }

  async #content(attachment: Attachment, hub: HubUri, progress: Progress): Promise<Bytes> {
    const kept = await this.#kept(attachment);
    if (kept !== null) return kept;
    if (attachment.hub !== hub) throw new VerificationError('NL-551', 'an attachment at another hub');
    await this.#fetch(attachment, progress);
    const opened = await this.#files.open(attachment.seal);
    if (opened !== null) return opened;
    await this.#files.forget(attachment.seal);
    throw new VerificationError('NL-154', 'a blob of another size than its message says');
  }

  /** What is here and whole; one that this browser's storage has spoilt goes. */
  async #kept({ seal }: Attachment): Promise<Bytes | null> {
    try {
      return await this.#files.open(seal);
    } catch (error) {
      if (error instanceof VerificationError) return null;
      throw error;
    }
  }

  /** All that the hub has of it, up to its size, is here. */
  async #fetch({ blob, seal }: Attachment, progress: Progress): Promise<void> {
    let received = await this.#files.received(seal);
    while (received < seal.size) {
      progress(received, seal.size);
      const last = Math.min(received + RANGE_BYTES, seal.size) - 1;
      const piece = await this.#hub.fetchBlob(blob, received, last).catch(nothingBeyondTheEnd);
      if (piece.length < last + 1 - received) return; // the blob ends here: it is found to be too short
      await this.#files.append(seal, received, piece);
      received += piece.length;
    }
    progress(seal.size, seal.size);
  }
}

function nothingBeyondTheEnd(error: unknown): Bytes {
  if (error instanceof RefusedError && error.problem === 'range_not_satisfiable') return new Uint8Array();
  throw error;
}
