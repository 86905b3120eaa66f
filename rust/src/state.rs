//! State as key → bytes: OpenMLS's storage, in memory, with a journal of what was written.
//!
//! A store holds one scope: a group's entries, or the member's own. Nothing is put on disk here; the caller
//! takes the writes and commits them with whatever else must be true at the same moment.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use openmls_rust_crypto::RustCrypto;
use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use rmp_serde::config::BytesMode;
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::settings;

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

/// MessagePack with structs as arrays and bytes as bytes: self-describing, and a third of JSON's size.
fn encode(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(1024);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_bytes(BytesMode::ForceIterables);
    value.serialize(&mut serializer).map_err(|_| StoreError)?;
    Ok(bytes)
}

/// The entry name of a key package.
pub fn key_package_name(reference: &(impl Serialize + ?Sized)) -> Vec<u8> {
    named(b"key_package/", reference)
}

fn named(prefix: &[u8], id: &(impl Serialize + ?Sized)) -> Vec<u8> {
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

const V: u16 = CURRENT_VERSION;

/// One entry of a group, by its name: how it is written, read and deleted.
macro_rules! entries {
    ($($name:literal $entity:ident: $write:ident $read:ident $delete:ident;)*) => {$(
        fn $write<G: traits::GroupId<V>, T: traits::$entity<V>>(&self, _: &G, value: &T) -> Result<(), StoreError> {
            self.put($name, value)
        }

        fn $read<G: traits::GroupId<V>, T: traits::$entity<V>>(&self, _: &G) -> Result<Option<T>, StoreError> {
            self.get($name)
        }

        fn $delete<G: traits::GroupId<V>>(&self, _: &G) -> Result<(), StoreError> {
            self.delete($name);
            Ok(())
        }
    )*};
}

/// A store is one group's, so OpenMLS's group ids are not part of the names below. What belongs to handshakes
/// that do not exist here (queued proposals, Updates by reference, PSKs) is never asked for, and never kept.
impl StorageProvider<V> for Store {
    type Error = StoreError;

    entries! {
        b"tree" TreeSync: write_tree tree delete_tree;
        b"context" GroupContext: write_context group_context delete_context;
        b"interim_transcript_hash" InterimTranscriptHash:
            write_interim_transcript_hash interim_transcript_hash delete_interim_transcript_hash;
        b"confirmation_tag" ConfirmationTag: write_confirmation_tag confirmation_tag delete_confirmation_tag;
        b"message_secrets" MessageSecrets: write_message_secrets message_secrets delete_message_secrets;
        b"resumption_psks" ResumptionPskStore:
            write_resumption_psk_store resumption_psk_store delete_all_resumption_psk_secrets;
        b"own_leaf_index" LeafNodeIndex: write_own_leaf_index own_leaf_index delete_own_leaf_index;
        b"epoch_secrets" GroupEpochSecrets:
            write_group_epoch_secrets group_epoch_secrets delete_group_epoch_secrets;
    }

    fn write_group_state<S: traits::GroupState<V>, G: traits::GroupId<V>>(
        &self,
        _: &G,
        state: &S,
    ) -> Result<(), StoreError> {
        self.put(b"group_state", state)
    }

    fn group_state<S: traits::GroupState<V>, G: traits::GroupId<V>>(&self, _: &G) -> Result<Option<S>, StoreError> {
        self.get(b"group_state")
    }

    fn delete_group_state<G: traits::GroupId<V>>(&self, _: &G) -> Result<(), StoreError> {
        self.delete(b"group_state");
        Ok(())
    }

    // Every group has the same configuration, so none is kept.

    fn write_mls_join_config<G: traits::GroupId<V>, C: traits::MlsGroupJoinConfig<V>>(
        &self,
        _: &G,
        _: &C,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    fn mls_group_join_config<G: traits::GroupId<V>, C: traits::MlsGroupJoinConfig<V>>(
        &self,
        _: &G,
    ) -> Result<Option<C>, StoreError> {
        let bytes = encode(&settings::join_config(0))?;
        rmp_serde::from_slice(&bytes).map(Some).map_err(|_| StoreError)
    }

    fn delete_group_config<G: traits::GroupId<V>>(&self, _: &G) -> Result<(), StoreError> {
        Ok(())
    }

    // Nothing is exported by component, so that tree is not kept; it would be rewritten at each commit.

    fn write_application_export_tree<G: traits::GroupId<V>, T: traits::ApplicationExportTree<V>>(
        &self,
        _: &G,
        _: &T,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    fn application_export_tree<G: traits::GroupId<V>, T: traits::ApplicationExportTree<V>>(
        &self,
        _: &G,
    ) -> Result<Option<T>, StoreError> {
        Ok(None)
    }

    fn delete_application_export_tree<G: traits::GroupId<V>, T: traits::ApplicationExportTree<V>>(
        &self,
        _: &G,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    fn write_encryption_epoch_key_pairs<G: traits::GroupId<V>, E: traits::EpochKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        _: &G,
        epoch: &E,
        leaf_index: u32,
        key_pairs: &[T],
    ) -> Result<(), StoreError> {
        self.put(&named(b"key_pairs/", &(epoch, leaf_index)), key_pairs)
    }

    fn encryption_epoch_key_pairs<G: traits::GroupId<V>, E: traits::EpochKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        _: &G,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<Vec<T>, StoreError> {
        Ok(self.get(&named(b"key_pairs/", &(epoch, leaf_index)))?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<G: traits::GroupId<V>, E: traits::EpochKey<V>>(
        &self,
        _: &G,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<(), StoreError> {
        self.delete(&named(b"key_pairs/", &(epoch, leaf_index)));
        Ok(())
    }

    fn write_key_package<R: traits::HashReference<V>, T: traits::KeyPackage<V>>(
        &self,
        reference: &R,
        key_package: &T,
    ) -> Result<(), StoreError> {
        self.put(&key_package_name(reference), key_package)
    }

    fn key_package<R: traits::HashReference<V>, T: traits::KeyPackage<V>>(
        &self,
        reference: &R,
    ) -> Result<Option<T>, StoreError> {
        self.get(&key_package_name(reference))
    }

    fn delete_key_package<R: traits::HashReference<V>>(&self, reference: &R) -> Result<(), StoreError> {
        self.delete(&key_package_name(reference));
        Ok(())
    }

    // --- never used ---

    fn append_own_leaf_node<G: traits::GroupId<V>, T: traits::LeafNode<V>>(
        &self,
        _: &G,
        _: &T,
    ) -> Result<(), StoreError> {
        Err(StoreError)
    }

    fn own_leaf_nodes<G: traits::GroupId<V>, T: traits::LeafNode<V>>(&self, _: &G) -> Result<Vec<T>, StoreError> {
        Ok(Vec::new())
    }

    fn delete_own_leaf_nodes<G: traits::GroupId<V>>(&self, _: &G) -> Result<(), StoreError> {
        Ok(())
    }

    fn queue_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>, P: traits::QueuedProposal<V>>(
        &self,
        _: &G,
        _: &R,
        _: &P,
    ) -> Result<(), StoreError> {
        Err(StoreError)
    }

    fn queued_proposal_refs<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        _: &G,
    ) -> Result<Vec<R>, StoreError> {
        Ok(Vec::new())
    }

    fn queued_proposals<G: traits::GroupId<V>, R: traits::ProposalRef<V>, P: traits::QueuedProposal<V>>(
        &self,
        _: &G,
    ) -> Result<Vec<(R, P)>, StoreError> {
        Ok(Vec::new())
    }

    fn remove_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        _: &G,
        _: &R,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    fn clear_proposal_queue<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(&self, _: &G) -> Result<(), StoreError> {
        Ok(())
    }

    fn write_signature_key_pair<K: traits::SignaturePublicKey<V>, T: traits::SignatureKeyPair<V>>(
        &self,
        _: &K,
        _: &T,
    ) -> Result<(), StoreError> {
        Err(StoreError)
    }

    fn signature_key_pair<K: traits::SignaturePublicKey<V>, T: traits::SignatureKeyPair<V>>(
        &self,
        _: &K,
    ) -> Result<Option<T>, StoreError> {
        Ok(None)
    }

    fn delete_signature_key_pair<K: traits::SignaturePublicKey<V>>(&self, _: &K) -> Result<(), StoreError> {
        Ok(())
    }

    fn write_encryption_key_pair<K: traits::EncryptionKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        _: &K,
        _: &T,
    ) -> Result<(), StoreError> {
        Err(StoreError)
    }

    fn encryption_key_pair<T: traits::HpkeKeyPair<V>, K: traits::EncryptionKey<V>>(
        &self,
        _: &K,
    ) -> Result<Option<T>, StoreError> {
        Ok(None)
    }

    fn delete_encryption_key_pair<K: traits::EncryptionKey<V>>(&self, _: &K) -> Result<(), StoreError> {
        Ok(())
    }

    fn write_psk<P: traits::PskId<V>, T: traits::PskBundle<V>>(&self, _: &P, _: &T) -> Result<(), StoreError> {
        Err(StoreError)
    }

    fn psk<T: traits::PskBundle<V>, P: traits::PskId<V>>(&self, _: &P) -> Result<Option<T>, StoreError> {
        Ok(None)
    }

    fn delete_psk<P: traits::PskId<V>>(&self, _: &P) -> Result<(), StoreError> {
        Ok(())
    }
}
