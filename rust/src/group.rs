//! A member's view of a group: it encrypts, decrypts, commits, and never merges by itself.

use std::sync::Arc;

use openmls::prelude::{
    GroupId, LeafNodeIndex, LeafNodeParameters, MlsGroup, MlsMessageBodyIn, PrivateMessageIn, ProcessedMessageContent,
    PublicMessageIn, SafeAadItem, Sender, StagedCommit,
};
use tls_codec::Serialize as _;

use crate::errors::{
    BAD_ARGUMENT, BEFORE_MEMBERSHIP, COMMIT_ALREADY_MERGED, COMMIT_PENDING, GROUP_SETTINGS, INVALID_COMMIT,
    INVALID_MESSAGE, LIBRARY, NO_COMMIT, NO_STATE, NO_SUCH_LEAF, NOT_A_MEMBER, OWN_MESSAGE, PAST_EPOCH, Result,
    WRONG_WIRE_FORMAT,
};
use crate::handshake::TAG_BYTES;
use crate::leaf::{self, Change, Leaf};
use crate::member::credential_with_key;
use crate::signing::SigningKey;
use crate::state::{Provider, Store, Write};
use crate::{handshake, key_package, padding, settings};

const JOINED_EPOCH: &[u8] = b"joined_epoch";

pub struct Group {
    provider: Provider,
    key: Arc<SigningKey>,
    group: MlsGroup,
    /// Somebody else's commit, read and not merged.
    staged: Option<StagedCommit>,
    joined_epoch: u64,
    deleted: bool,
}

/// A commit of this device, pending until the hub has said yes or no.
pub struct Staged {
    pub commit: Vec<u8>,
    /// For those it adds, if any.
    pub welcome: Option<Vec<u8>>,
    /// The epoch it leads to.
    pub epoch: u64,
    pub confirmation_tag: Vec<u8>,
}

/// What a message turned out to be.
pub enum Received {
    Application {
        data: Vec<u8>,
        tag: [u8; TAG_BYTES],
        sender: Leaf,
        epoch: u64,
    },
    Commit {
        change: Change,
        /// The pending commit's echo.
        own: bool,
        removes_me: bool,
    },
}

impl Group {
    /// A group that this device has just made or joined.
    pub fn joined(provider: Provider, key: Arc<SigningKey>, group: MlsGroup) -> Result<Self> {
        let joined_epoch = group.epoch().as_u64();
        provider.store.put(JOINED_EPOCH, &joined_epoch)?;
        Ok(Self { provider, key, group, staged: None, joined_epoch, deleted: false })
    }

    pub fn open(store: Store, key: Arc<SigningKey>, group_id: &[u8]) -> Result<Self> {
        let group = MlsGroup::load(&store, &GroupId::from_slice(group_id))?.ok_or(NO_STATE)?;
        let joined_epoch = store.get(JOINED_EPOCH)?.ok_or(NO_STATE)?;
        Ok(Self { provider: Provider::new(store), key, group, staged: None, joined_epoch, deleted: false })
    }

    pub fn group_id(&self) -> Vec<u8> {
        self.group.group_id().to_vec()
    }

    pub fn epoch(&self) -> u64 {
        self.group.epoch().as_u64()
    }

    pub fn members(&self) -> Result<Vec<Leaf>> {
        leaf::members(self.group.public_group())
    }

    pub fn own_index(&self) -> u32 {
        self.group.own_leaf_index().u32()
    }

    pub fn is_active(&self) -> bool {
        self.group.is_active() && !self.deleted
    }

    pub fn has_pending(&self) -> bool {
        self.group.pending_commit().is_some()
    }

    pub fn franking_agent(&self) -> Result<Vec<u8>> {
        settings::franking_agent(self.group.public_group().group_context()).ok_or(GROUP_SETTINGS)
    }

    pub fn epoch_authenticator(&self) -> Vec<u8> {
        self.group.epoch_authenticator().as_slice().to_vec()
    }

    pub fn confirmed_transcript_hash(&self) -> Vec<u8> {
        self.group.public_group().group_context().confirmed_transcript_hash().to_vec()
    }

    /// A signed GroupInfo with the ratchet tree.
    pub fn group_info(&self) -> Result<Vec<u8>> {
        self.check_member()?;
        let message = self.group.export_group_info(&self.provider.crypto, &*self.key, true).map_err(|_| LIBRARY)?;
        message.to_bytes().map_err(|_| LIBRARY)
    }

    /// A secret of `length` bytes that all members of this epoch can derive.
    pub fn export(&self, label: &str, context: &[u8], length: usize) -> Result<Vec<u8>> {
        self.check_member()?;
        self.group.export_secret(&self.provider.crypto, label, context, length).map_err(|_| BAD_ARGUMENT)
    }

    /// `data` as a padded PrivateMessage with `tag` in its authenticated data.
    pub fn encrypt(&mut self, data: &[u8], tag: &[u8]) -> Result<Vec<u8>> {
        self.check_member()?;
        if tag.len() != TAG_BYTES {
            return Err(BAD_ARGUMENT);
        }
        let padding = padding::ciphertext_length(data.len());
        if self.group.configuration().padding_size() != padding {
            self.group.set_configuration(&self.provider.store, &settings::join_config(padding))?;
        }
        let item = SafeAadItem::new(settings::FRANKING_TAG, tag.to_vec());
        self.group.set_safe_aad(vec![item]).map_err(|_| LIBRARY)?;
        let message = self.group.create_message(&self.provider, &*self.key, data).map_err(|_| LIBRARY)?;
        message.to_bytes().map_err(|_| LIBRARY)
    }

    /// A pending commit with a fresh path that adds these key packages, removes these leaves, and replaces the
    /// own credential if one is given. `roles` goes into its authenticated data, if it is anything.
    pub fn commit(
        &mut self,
        add: &[Vec<u8>],
        remove: &[u32],
        roles: &[u8],
        credential: Option<&[u8]>,
        now_s: u64,
    ) -> Result<Staged> {
        self.check_member()?;
        if self.has_pending() || self.staged.is_some() {
            return Err(COMMIT_PENDING);
        }
        let added = add.iter().map(|message| {
            let key_package = key_package::verified(message, &self.provider.crypto)?;
            key_package::check_addable(&key_package, now_s)?;
            Ok(key_package)
        });
        let added = added.collect::<Result<Vec<_>>>()?;
        let removed: Vec<_> = remove.iter().copied().map(LeafNodeIndex::new).collect();
        let own = self.group.own_leaf_index();
        if removed.iter().any(|index| *index == own || self.group.member(*index).is_none()) {
            return Err(NO_SUCH_LEAF);
        }
        let mut leaf = LeafNodeParameters::builder();
        if let Some(identity) = credential {
            leaf = leaf.with_credential_with_key(credential_with_key(identity, &self.key));
        }
        let item = (!roles.is_empty()).then(|| SafeAadItem::new(settings::ROLES, roles.to_vec()));
        self.group.set_safe_aad(item.into_iter().collect()).map_err(|_| LIBRARY)?;
        let (commit, welcome, _) = self
            .group
            .commit_builder()
            .force_self_update(true)
            .leaf_node_parameters(leaf.build())
            .propose_adds(added)
            .propose_removals(removed)
            .load_psks(&self.provider.store)
            .map_err(|_| LIBRARY)?
            .build(&self.provider.crypto, &self.provider.crypto, &*self.key, |_| true)?
            .stage_commit(&self.provider)
            .map_err(|_| LIBRARY)?
            .into_messages();
        let commit = commit.to_bytes().map_err(|_| LIBRARY)?;
        let welcome = welcome.map(|message| message.to_bytes().map_err(|_| LIBRARY)).transpose()?;
        let confirmation_tag = confirmation_tag(&commit)?;
        Ok(Staged { commit, welcome, epoch: self.epoch() + 1, confirmation_tag })
    }

    /// Merges the pending commit: the hub took it.
    pub fn accept(&mut self) -> Result<()> {
        if !self.has_pending() {
            return Err(NO_COMMIT);
        }
        self.staged = None;
        self.group.merge_pending_commit(&self.provider).map_err(|_| LIBRARY)
    }

    /// Drops the pending commit, if there is one: the hub did not take it.
    pub fn discard(&mut self) -> Result<()> {
        self.group.clear_pending_commit(&self.provider.store)?;
        Ok(())
    }

    /// Decrypts a message, or stages somebody's commit. After an error nothing has changed.
    pub fn receive(&mut self, message: &[u8]) -> Result<Received> {
        self.check_member()?;
        match handshake::parse(message)? {
            MlsMessageBodyIn::PrivateMessage(private) => self.receive_application(private),
            MlsMessageBodyIn::PublicMessage(public) => {
                let roles = handshake::check_commit(&public, message)?;
                self.receive_commit(public, roles)
            }
            _ => Err(WRONG_WIRE_FORMAT),
        }
    }

    fn receive_application(&mut self, message: PrivateMessageIn) -> Result<Received> {
        let tag = handshake::check_application(&message)?;
        handshake::check_group(self.group.group_id().as_slice(), message.group_id().as_slice())?;
        let epoch = message.epoch().as_u64();
        self.check_epoch(epoch)?;
        let processed = self.group.process_message(&self.provider, message)?;
        let sender = self.leaf(processed.sender())?;
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(content) => {
                Ok(Received::Application { data: content.into_bytes(), tag, sender, epoch })
            }
            ProcessedMessageContent::OwnPrivateMessage => Err(OWN_MESSAGE),
            _ => Err(INVALID_MESSAGE),
        }
    }

    fn receive_commit(&mut self, message: PublicMessageIn, roles: Vec<u8>) -> Result<Received> {
        handshake::check_group(self.group.group_id().as_slice(), message.group_id().as_slice())?;
        let epoch = message.epoch().as_u64();
        if epoch + 1 == self.epoch() && message.confirmation_tag() == Some(self.group.confirmation_tag()) {
            return Err(COMMIT_ALREADY_MERGED);
        }
        self.check_epoch(epoch)?;
        if self.staged.is_some() {
            return Err(COMMIT_PENDING);
        }
        let processed = self.group.process_message(&self.provider, message)?;
        let Sender::Member(committer) = *processed.sender() else {
            return Err(INVALID_COMMIT);
        };
        let public = self.group.public_group();
        match processed.into_content() {
            ProcessedMessageContent::OwnPendingCommit => {
                let pending = self.group.pending_commit().ok_or(LIBRARY)?;
                let change = Change::of(pending, public, committer, &self.provider.crypto, roles)?;
                Ok(Received::Commit { change, own: true, removes_me: false })
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                let change = Change::of(&staged, public, committer, &self.provider.crypto, roles)?;
                let removes_me = staged.self_removed();
                self.staged = Some(*staged);
                Ok(Received::Commit { change, own: false, removes_me })
            }
            _ => Err(INVALID_COMMIT),
        }
    }

    /// Merges the commit that `receive` staged; a pending one of our own is dropped.
    pub fn apply(&mut self) -> Result<()> {
        let staged = self.staged.take().ok_or(NO_COMMIT)?;
        self.group.merge_staged_commit(&self.provider, staged).map_err(|_| LIBRARY)
    }

    /// Drops the commit that `receive` staged, if there is one.
    pub fn reject(&mut self) {
        self.staged = None;
    }

    /// Forgets all state of the group.
    pub fn delete(&mut self) {
        self.provider.store.clear();
        self.staged = None;
        self.deleted = true;
    }

    pub fn take_writes(&self) -> Vec<Write> {
        self.provider.store.take_writes()
    }

    fn check_member(&self) -> Result<()> {
        if self.is_active() { Ok(()) } else { Err(NOT_A_MEMBER) }
    }

    fn check_epoch(&self, found: u64) -> Result<()> {
        match handshake::check_epoch(self.epoch(), found) {
            Err(PAST_EPOCH) if found < self.joined_epoch => Err(BEFORE_MEMBERSHIP),
            outcome => outcome,
        }
    }

    fn leaf(&self, sender: &Sender) -> Result<Leaf> {
        let Sender::Member(index) = sender else {
            return Err(INVALID_MESSAGE);
        };
        Leaf::of_member(self.group.member_at(*index).ok_or(INVALID_MESSAGE)?)
    }
}

/// The confirmation tag of a commit of ours: what its echo is matched by.
fn confirmation_tag(commit: &[u8]) -> Result<Vec<u8>> {
    let MlsMessageBodyIn::PublicMessage(message) = handshake::parse(commit)? else {
        return Err(LIBRARY);
    };
    let tag = message.confirmation_tag().ok_or(LIBRARY)?;
    let vector = tag.tls_serialize_detached().map_err(|_| LIBRARY)?;
    // V(32 bytes) has a one-byte header.
    Ok(vector[1..].to_vec())
}
