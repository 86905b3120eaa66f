//! Padding: the same ciphertext length for every content of one bucket.
//!
//! A PrivateMessage's plaintext is `V(content) ‖ V(signature) ‖ zeros`, and AES-GCM adds a tag. The buckets are
//! 128, 256, 512, 1024, … bytes of content; each is padded to what its longest content needs.

const SMALLEST_BUCKET: usize = 128;
const SIGNATURE_FIELD: usize = 2 + 64;
const TAG: usize = 16;

/// The length in bytes of the ciphertext that holds `content` bytes.
pub fn ciphertext_length(content: usize) -> usize {
    let bucket = content.max(SMALLEST_BUCKET).next_power_of_two();
    length_prefix(bucket) + bucket + SIGNATURE_FIELD + TAG
}

/// How many bytes `V` puts before `length` bytes (RFC 9420, "Variable-Size Vector Length Headers").
fn length_prefix(length: usize) -> usize {
    match length {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        _ => 4,
    }
}
