//! Key packages: read from others, checked against the time when one is added.

use openmls::prelude::{KeyPackage, Lifetime, MlsMessageBodyIn, ProtocolVersion};
use openmls_rust_crypto::RustCrypto;

use crate::errors::{
    BAD_ARGUMENT, INVALID_KEY_PACKAGE, KEY_PACKAGE_EXPIRED, KEY_PACKAGE_LIFETIME, LEAF_LIFETIME_BY_CLOCK, Result,
    WRONG_WIRE_FORMAT,
};
use crate::{handshake, leaf, settings};

/// The longest time, in seconds, for which a key package may be added.
pub const MAX_LIFETIME_S: u64 = 90 * DAY_S;
/// How much longer, on both sides, the leaf is valid on the wire: a commit is read up to 30 days after it was
/// made, and OpenMLS then compares the leaf with the reader's clock.
pub const MARGIN_S: u64 = 31 * DAY_S;
/// How far into the past a new key package reaches, for clocks that are behind.
const SKEW_S: u64 = 3600;
const DAY_S: u64 = 86_400;

/// A key package whose signatures hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(test),
    pyo3::pyclass(frozen, eq, get_all, name = "KeyPackage", module = "nightlight_mls", from_py_object)
)]
pub struct KeyPackageSummary {
    pub reference: Vec<u8>,
    pub credential: Vec<u8>,
    pub signature_key: Vec<u8>,
    /// The first and last second at which it may be added.
    pub not_before_s: u64,
    pub not_after_s: u64,
    pub last_resort: bool,
}

/// What the one key package in `message` says.
pub fn read(message: &[u8], crypto: &RustCrypto) -> Result<KeyPackageSummary> {
    let key_package = verified(message, crypto)?;
    let leaf = key_package.leaf_node();
    let (not_before_s, not_after_s) = period(key_package.life_time())?;
    Ok(KeyPackageSummary {
        reference: reference(&key_package, crypto)?,
        credential: leaf::identity(leaf.credential().clone())?,
        signature_key: leaf.signature_key().as_slice().to_vec(),
        not_before_s,
        not_after_s,
        last_resort: key_package.last_resort(),
    })
}

/// KeyPackageRef, 32 bytes.
pub fn reference(key_package: &KeyPackage, crypto: &RustCrypto) -> Result<Vec<u8>> {
    Ok(key_package.hash_ref(crypto).map_err(|_| INVALID_KEY_PACKAGE)?.as_slice().to_vec())
}

/// The one key package in `message`, its signatures verified.
pub fn verified(message: &[u8], crypto: &RustCrypto) -> Result<KeyPackage> {
    let MlsMessageBodyIn::KeyPackage(key_package) = handshake::parse(message)? else {
        return Err(WRONG_WIRE_FORMAT);
    };
    use openmls::prelude::KeyPackageVerifyError::LifetimeError;
    let key_package = key_package.validate(crypto, ProtocolVersion::Mls10).map_err(|error| match error {
        LifetimeError(_) => LEAF_LIFETIME_BY_CLOCK,
        _ => INVALID_KEY_PACKAGE,
    })?;
    if key_package.ciphersuite() != settings::CIPHERSUITE {
        return Err(INVALID_KEY_PACKAGE);
    }
    Ok(key_package)
}

/// The references of the key packages that a Welcome is for.
pub fn read_welcome(message: &[u8]) -> Result<Vec<Vec<u8>>> {
    let MlsMessageBodyIn::Welcome(welcome) = handshake::parse(message)? else {
        return Err(WRONG_WIRE_FORMAT);
    };
    Ok(welcome.secrets().iter().map(|secrets| secrets.new_member().as_slice().to_vec()).collect())
}

/// `key_package` may be added at `now_s`.
pub fn check_addable(key_package: &KeyPackage, now_s: u64) -> Result<()> {
    let (not_before_s, not_after_s) = period(key_package.life_time())?;
    if (not_before_s..=not_after_s).contains(&now_s) { Ok(()) } else { Err(KEY_PACKAGE_EXPIRED) }
}

/// The lifetime on the wire of a key package that may be added from `now_s` on for `lifetime_s`.
pub fn lifetime(now_s: u64, lifetime_s: u64) -> Result<Lifetime> {
    if !(1..=MAX_LIFETIME_S).contains(&lifetime_s) {
        return Err(BAD_ARGUMENT);
    }
    let not_after_s = now_s.checked_add(lifetime_s + MARGIN_S).ok_or(BAD_ARGUMENT)?;
    Ok(Lifetime::init(now_s.saturating_sub(SKEW_S + MARGIN_S), not_after_s))
}

/// From when to when a key package with this lifetime on the wire may be added.
fn period(lifetime: &Lifetime) -> Result<(u64, u64)> {
    let range_s = lifetime.not_after().saturating_sub(lifetime.not_before());
    if !(2 * MARGIN_S..=SKEW_S + MAX_LIFETIME_S + 2 * MARGIN_S).contains(&range_s) {
        return Err(KEY_PACKAGE_LIFETIME);
    }
    Ok((lifetime.not_before() + MARGIN_S, lifetime.not_after() - MARGIN_S))
}
