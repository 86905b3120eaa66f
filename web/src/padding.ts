/**
 * Padding: the same ciphertext length for every content of one bucket.
 *
 * A PrivateMessage's plaintext is `V(content) ‖ V(signature) ‖ zeros`, and AES-GCM adds a tag. The buckets are 128, 256,
 * 512, 1,024, … bytes of content; each is padded to what its longest content needs.
 */

const SMALLEST_BUCKET = 128;
const SIGNATURE_FIELD = 2 + 64;
const TAG = 16;

/** The length in bytes of the ciphertext that holds `content` bytes. */
export function ciphertextLength(content: number): number {
  let bucket = SMALLEST_BUCKET;
  while (bucket < content) bucket *= 2;
  return lengthPrefix(bucket) + bucket + SIGNATURE_FIELD + TAG;
}

/** How many bytes `V` puts before `length` bytes (RFC 9420, "Variable-Size Vector Length Headers"). */
function lengthPrefix(length: number): number {
  if (length < 0x40) return 1;
  return length < 0x4000 ? 2 : 4;
}
