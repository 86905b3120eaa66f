/** The device's storage is full, was wiped, or cannot be read. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}
