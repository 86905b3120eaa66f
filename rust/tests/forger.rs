//! A member whose client obeys OpenMLS and nobody else.

use openmls::prelude::*;
use openmls_rust_crypto::OpenMlsRustCrypto;
use tls_codec::{Deserialize as _, Serialize as _, VLByteSlice, VLBytes};

use super::world::{DAY_S, ROOM, now_s, protocol_message};
use crate::signing::SigningKey;
use crate::{key_package, settings};

pub struct Forger {
    pub provider: OpenMlsRustCrypto,
    pub key: SigningKey,
    pub credential: CredentialWithKey,
    group: Option<MlsGroup>,
}

impl Forger {
    pub fn new(name: &str) -> Self {
        let key = SigningKey::generate();
        let credential = crate::member::credential_with_key(name.as_bytes(), &key);
        Self { provider: OpenMlsRustCrypto::default(), key, credential, group: None }
    }

    pub fn bundle(&self, lifetime: Lifetime) -> KeyPackageBundle {
        KeyPackage::builder()
            .leaf_node_capabilities(settings::capabilities())
            .key_package_lifetime(lifetime)
            .build(settings::CIPHERSUITE, &self.provider, &self.key, self.credential.clone())
            .expect("a key package")
    }

    pub fn key_package(&self) -> KeyPackage {
        let lifetime = key_package::lifetime(now_s(), 30 * DAY_S).expect("a lifetime");
        self.bundle(lifetime).into_key_package()
    }

    /// Joins with a configuration that sends and takes handshakes in either wire format.
    pub fn join(&mut self, welcome: &[u8]) {
        let config = MlsGroupJoinConfig::builder()
            .wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(true)
            .build();
        let message = MlsMessageIn::tls_deserialize(&mut &welcome[..]).expect("a message");
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else { panic!("a Welcome") };
        let group = StagedWelcome::new_from_welcome(&self.provider, &config, welcome, None)
            .and_then(|staged| staged.into_group(&self.provider))
            .expect("a join");
        self.group = Some(group);
    }

    pub fn group(&mut self) -> &mut MlsGroup {
        self.group.as_mut().expect("the forger has joined")
    }

    /// What `make` makes with the group, the provider and the key.
    pub fn forge<T>(&mut self, make: impl FnOnce(&mut MlsGroup, &OpenMlsRustCrypto, &SigningKey) -> T) -> T {
        make(self.group.as_mut().expect("the forger has joined"), &self.provider, &self.key)
    }

    /// Somebody else's commit, merged.
    pub fn follow(&mut self, commit: &[u8]) {
        self.forge(|group, provider, _| {
            let processed = group.process_message(provider, protocol_message(commit)).expect("a commit");
            let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
                panic!("a commit")
            };
            group.merge_staged_commit(provider, *staged).expect("a merge");
        });
    }

    /// Somebody else's proposal, to be committed by reference.
    pub fn keep(&mut self, proposal: &[u8]) {
        self.forge(|group, provider, _| {
            let processed = group.process_message(provider, protocol_message(proposal)).expect("a proposal");
            let ProcessedMessageContent::ProposalMessage(proposal) = processed.into_content() else {
                panic!("a proposal")
            };
            group.store_pending_proposal(provider.storage(), *proposal).expect("a stored proposal");
        });
    }

    /// A commit with a path and whatever has been proposed, left pending.
    pub fn commit(&mut self) -> Vec<u8> {
        self.forge(|group, provider, key| {
            let bundle = group
                .commit_builder()
                .force_self_update(true)
                .load_psks(provider.storage())
                .expect("PSKs")
                .build(provider.rand(), provider.crypto(), key, |_| true)
                .expect("a commit")
                .stage_commit(provider)
                .expect("a staged commit");
            bytes(bundle.into_commit())
        })
    }

    /// An honest commit that only updates the path, merged.
    pub fn update(&mut self) -> Vec<u8> {
        self.forge(|group, provider, _| group.clear_pending_commit(provider.storage()).expect("no pending commit"));
        self.forge(|group, provider, _| group.clear_pending_proposals(provider.storage()).expect("no proposals"));
        let commit = self.commit();
        self.forge(|group, provider, _| group.merge_pending_commit(provider).expect("a merge"));
        commit
    }

    /// A message with these SafeAAD items, and `tail` after them.
    pub fn message(&mut self, items: Vec<SafeAadItem>, tail: &[u8]) -> Vec<u8> {
        self.forge(|group, provider, key| {
            group.set_safe_aad(items).expect("items in order");
            group.set_aad(tail.to_vec());
            bytes(group.create_message(provider, key, b"hello").expect("a message"))
        })
    }
}

pub fn bytes(message: impl Into<MlsMessageOut>) -> Vec<u8> {
    message.into().to_bytes().expect("bytes")
}

/// Version, wire format, V(group id), epoch, sender, V(one zero byte), content type.
const BEFORE_CONTENT: usize = 4 + 1 + ROOM.len() + 8 + 5 + 2 + 1;

/// `commit` with other proposals; nobody's signature is on it any more.
pub fn with_proposals(commit: &[u8], proposals: &[u8]) -> Vec<u8> {
    let old = VLBytes::tls_deserialize(&mut &commit[BEFORE_CONTENT..]).expect("proposals");
    let old_length = old.tls_serialized_len();
    let new = VLByteSlice(proposals).tls_serialize_detached().expect("a vector");
    [&commit[..BEFORE_CONTENT], &new, &commit[BEFORE_CONTENT + old_length..]].concat()
}

/// The standalone `remove` with another proposal in its place; nobody's signature is on it any more.
pub fn with_proposal(remove: &[u8], proposal: &[u8]) -> Vec<u8> {
    let remove_length = size_of::<u16>() + size_of::<u32>();
    [&remove[..BEFORE_CONTENT], proposal, &remove[BEFORE_CONTENT + remove_length..]].concat()
}
