/** A component that is loaded when it is first needed, and at hand from then on. */
export class LateComponent<Part> {
  /** Null until it is loaded. */
  part: Part | null = $state.raw(null);
  failed = $state(false);
  readonly #load: () => Promise<{ readonly default: Part }>;
  #asked = false;

  constructor(load: () => Promise<{ readonly default: Part }>) {
    this.#load = load;
  }

  need(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#load().then(
      (module) => {
        this.part = module.default;
        this.failed = false;
      },
      () => {
        this.#asked = false;
        this.failed = true;
      },
    );
  }
}
