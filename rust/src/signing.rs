//! Ed25519 signatures with a label: RFC 9420, "Signing".

use ed25519_dalek::Signer as _;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use tls_codec::{Serialize as _, VLByteSlice};

use crate::errors::{BAD_ARGUMENT, Result};

/// An Ed25519 key; its private half is wiped when dropped.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    pub fn generate() -> Self {
        Self(ed25519_dalek::SigningKey::generate(&mut rand_core::OsRng))
    }

    /// The key of a 32-byte seed.
    pub fn from_seed(seed: &[u8]) -> Result<Self> {
        let seed = seed.try_into().map_err(|_| BAD_ARGUMENT)?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(seed)))
    }

    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// `SignWithLabel(key, label, content)`, 64 bytes.
    pub fn sign_with_label(&self, label: &str, content: &[u8]) -> [u8; 64] {
        self.0.sign(&sign_content(label, content)).to_bytes()
    }
}

/// `SignContent { V("MLS 1.0 " + label), V(content) }`.
fn sign_content(label: &str, content: &[u8]) -> Vec<u8> {
    let label = format!("MLS 1.0 {label}");
    (VLByteSlice(label.as_bytes()), VLByteSlice(content))
        .tls_serialize_detached()
        .expect("contents are far shorter than 2^30 bytes")
}

impl Signer for SigningKey {
    fn sign(&self, payload: &[u8]) -> std::result::Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
