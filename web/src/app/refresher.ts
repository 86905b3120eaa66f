/** Does a piece of work once for all who ask while it is under way, and once more for those. */
export class Refresher {
  readonly #work: () => Promise<void>;
  readonly #failed: (error: unknown) => void;
  #running: Promise<void> | null = null;
  #again = false;

  /** `failed` hears what `work` throws. */
  constructor(work: () => Promise<void>, failed: (error: unknown) => void) {
    this.#work = work;
    this.#failed = failed;
  }

  /** The work has been begun after now, and is over. */
  refresh(): Promise<void> {
    if (this.#running === null) this.#running = this.#run();
    else this.#again = true;
    return this.#running;
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#work();
      } catch (error) {
        this.#failed(error);
      }
    } while (this.#isWanted());
    this.#running = null;
  }

  #isWanted(): boolean {
    return this.#again;
  }
}
