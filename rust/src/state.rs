//! State as key → bytes: OpenMLS's storage, in memory, with a journal of what was written.
//!
//! A store holds one scope: a group's entries, or the member's own. Nothing is put on disk here; the caller
//! takes the writes and commits them with whatever else must be true at the same moment.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use openmls_rust_crypto::RustCrypto;
use rmp_serde::config::BytesMode;
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// A key and its new bytes, or nothing when the entry is gone.
pub type Write = (Vec<u8>, Option<Vec<u8>>);

/// `V(group_id)`: what all keys of that group start with; the member's own have that of the empty id.
pub fn scope(group_id: &[u8]) -> Vec<u8> {
    use tls_codec::Serialize as _;
    tls_codec::VLByteSlice(group_id).tls_serialize_detached().expect("a group id is far shorter than 2^30 bytes")
}

/// The entries of one scope, and which of them were written since the last [`Store::take_writes`].
#[derive(Default)]
pub struct Store {
    scope: Vec<u8>,
    inner: RefCell<Entries>,
}

#[derive(Default)]
struct Entries {
    values: HashMap<Vec<u8>, Zeroizing<Vec<u8>>>,
    written: BTreeSet<Vec<u8>>,
}

/// An entry could not be encoded, or what is stored under its key is not what was put there.
#[derive(Debug, thiserror::Error)]
#[error("a stored entry cannot be read or written")]
pub struct StoreError;

impl Store {
    pub fn new(group_id: &[u8]) -> Self {
        Self { scope: scope(group_id), inner: RefCell::default() }
    }

    /// The store of `group_id` as it was when `entries` were taken; those of other scopes are left out.
    pub fn load(group_id: &[u8], entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        let store = Self::new(group_id);
        let values = entries
            .into_iter()
            .filter(|(key, _)| key.starts_with(&store.scope))
            .map(|(key, value)| (key, Zeroizing::new(value)))
            .collect();
        store.inner.borrow_mut().values = values;
        store
    }

    /// What was written since the last call, in the order of the keys; each key once, with its newest value.
    pub fn take_writes(&self) -> Vec<Write> {
        let mut inner = self.inner.borrow_mut();
        let written = std::mem::take(&mut inner.written);
        let newest = |key: &Vec<u8>| inner.values.get(key).map(|value| value.to_vec());
        written.into_iter().map(|key| (newest(&key), key)).map(|(value, key)| (key, value)).collect()
    }

    pub fn put_bytes(&self, name: &[u8], value: Vec<u8>) {
        let key = self.key(name);
        let mut inner = self.inner.borrow_mut();
        inner.values.insert(key.clone(), Zeroizing::new(value));
        inner.written.insert(key);
    }

    pub fn bytes(&self, name: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.inner.borrow().values.get(&self.key(name)).cloned()
    }

    pub fn delete(&self, name: &[u8]) {
        let key = self.key(name);
        let mut inner = self.inner.borrow_mut();
        if inner.values.remove(&key).is_some() {
            inner.written.insert(key);
        }
    }

    /// Deletes every entry.
    pub fn clear(&self) {
        let mut inner = self.inner.borrow_mut();
        let keys: Vec<_> = inner.values.drain().map(|(key, _)| key).collect();
        inner.written.extend(keys);
    }

    pub fn put(&self, name: &[u8], value: &(impl Serialize + ?Sized)) -> Result<(), StoreError> {
        self.put_bytes(name, encode(value)?);
        Ok(())
    }

    pub fn get<T: DeserializeOwned>(&self, name: &[u8]) -> Result<Option<T>, StoreError> {
        let inner = self.inner.borrow();
        let value = inner.values.get(&self.key(name));
        value.map(|bytes| rmp_serde::from_slice(bytes).map_err(|_| StoreError)).transpose()
    }

    fn key(&self, name: &[u8]) -> Vec<u8> {
        [&self.scope, name].concat()
    }
}

/// MessagePack with structs as arrays and bytes as bytes: self-describing, and a quarter of JSON's size and time.
pub fn encode(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(1024);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_bytes(BytesMode::ForceIterables);
    value.serialize(&mut serializer).map_err(|_| StoreError)?;
    Ok(bytes)
}

/// The entry name of a key package.
pub fn key_package_name(reference: &(impl Serialize + ?Sized)) -> Vec<u8> {
    named(b"key_package/", reference)
}

pub fn named(prefix: &[u8], id: &(impl Serialize + ?Sized)) -> Vec<u8> {
    let id = encode(id).expect("identifiers are plain bytes and numbers");
    [prefix, &id].concat()
}

/// What OpenMLS works with: a scope's store, cryptography and randomness.
pub struct Provider {
    pub store: Store,
    pub crypto: RustCrypto,
}

impl Provider {
    pub fn new(store: Store) -> Self {
        Self { store, crypto: RustCrypto::default() }
    }
}

impl openmls_traits::OpenMlsProvider for Provider {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = Store;

    fn storage(&self) -> &Store {
        &self.store
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}
