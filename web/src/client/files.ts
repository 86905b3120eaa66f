/** Files on their way out and in, and those kept sealed here. */

import { Downloads, type OpenedFile } from './downloads.ts';
import type { MessageKey } from './events.ts';
import { SealedFiles } from './sealed-files.ts';
import { type Surroundings, Uploads } from './uploads.ts';

export class Files {
  readonly uploads: Uploads;
  readonly #around: Omit<Surroundings, 'files'>;
  readonly #sealed: SealedFiles;
  readonly #downloads: Downloads;

  constructor(around: Omit<Surroundings, 'files'>) {
    this.#around = around;
    this.#sealed = new SealedFiles(around.store.name);
    this.#downloads = new Downloads(around.store, around.hub, this.#sealed);
    this.uploads = new Uploads({ ...around, files: this.#sealed });
  }

  /** As `Api.openFile`; `progress` hears how much is here, and of how much. */
  async open(
    messageId: MessageKey,
    number: number,
    progress: (here: number, size: number) => void,
  ): Promise<OpenedFile> {
    const [hub, wanted] = [await this.#around.hubUri(), await this.uploads.wanted()];
    return this.#downloads.open(messageId, number, hub, wanted, progress);
  }

  close(): Promise<void> {
    return this.#sealed.close();
  }
}
