/**
 * What is wrong with the device's storage.
 *
 * `full`: nothing more can be written now. `wiped`: this browser no longer holds the device. `damaged`: it holds parts of
 * it, or rows that do not open. `refused`: the browser lets nothing be stored. `occupied`: another person is here.
 */
export type StoreFault = 'full' | 'wiped' | 'damaged' | 'refused' | 'occupied';

/** The device's storage cannot be used as was asked. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly fault: StoreFault;

  constructor(fault: StoreFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** That the browser has taken the store away. */
export function wiped(): StoreError {
  return new StoreError('wiped', 'this browser no longer holds the device');
}
