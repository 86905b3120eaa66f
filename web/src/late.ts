/** Parts of the program that are loaded when they are first needed, so that the rest is there sooner. */

import { UnavailableError } from './errors.ts';

/** What is loaded. Throws `UnavailableError` where it cannot be; whoever asks next tries again. */
export function loaded<Module>(module: Promise<Module>): Promise<Module> {
  return module.catch(() => {
    throw new UnavailableError('the server cannot be reached');
  });
}

/** One value, made of such a part. */
export class Late<Value> {
  readonly #make: () => Promise<Value>;
  #value: Promise<Value> | null = null;

  constructor(make: () => Promise<Value>) {
    this.#make = make;
  }

  /** The value, made now if it was not. Throws what `make` throws, and is made anew after that. */
  get(): Promise<Value> {
    const value = (this.#value ??= this.#make());
    value.catch(() => {
      if (this.#value === value) this.#value = null;
    });
    return value;
  }

  /** The value; null if nobody has asked for it yet, or it could not be made. */
  async ifMade(): Promise<Value | null> {
    return (await this.#value?.catch(() => null)) ?? null;
  }
}
