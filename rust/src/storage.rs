//! OpenMLS's way into a store: which entry each part of a group's state is.

use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};

use crate::settings;
use crate::state::{Store, StoreError, encode, key_package_name, named};

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
