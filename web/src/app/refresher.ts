/** Does a piece of work once for all who ask while it is under way, and once more for those. */
export class Refresher {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | null = null;
  #again = false;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** The work has been begun after now, and is done. */
  refresh(): Promise<void> {
    if (this.#running === null) this.#running = this.#run();
    else this.#again = true;
    return this.#running;
  }

  async #run(): Promise<void> {
    try {
      do {
        this.#again = false;
        await this.#work();
      } while (this.#isWanted());
    } finally {
      this.#running = null;
    }
  }

  #isWanted(): boolean {
    return this.#again;
  }
}
