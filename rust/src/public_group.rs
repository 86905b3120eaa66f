//! The hub's view of a group: who is in it and which epoch it has; no secret.

use openmls::prelude::{
    GroupId, MlsMessageBodyIn, ProcessedMessageContent, ProposalStore, PublicGroup, Sender, StagedCommit,
};

use crate::errors::{
    COMMIT_PENDING, GROUP_SETTINGS, HANDSHAKE_IN_PRIVATE, INVALID_COMMIT, INVALID_GROUP_INFO, LIBRARY, NO_COMMIT,
    NO_STATE, Result, WRONG_WIRE_FORMAT,
};
use crate::leaf::{self, Change, Leaf};
use crate::state::{Provider, Store, Write};
use crate::{handshake, key_package, settings};

pub struct HubGroup {
    provider: Provider,
    group: PublicGroup,
    staged: Option<StagedCommit>,
}

impl HubGroup {
    /// The group that a GroupInfo with a ratchet tree describes.
    pub fn from_group_info(group_info: &[u8]) -> Result<Self> {
        let MlsMessageBodyIn::GroupInfo(group_info) = handshake::parse(group_info)? else {
            return Err(WRONG_WIRE_FORMAT);
        };
        settings::check(group_info.group_context())?;
        let tree = group_info.extensions().ratchet_tree().ok_or(INVALID_GROUP_INFO)?.ratchet_tree().clone();
        let provider = Provider::new(Store::new(group_info.group_id().as_slice()));
        let proposals = ProposalStore::new();
        let (group, _) = PublicGroup::from_external(&provider.crypto, &provider.store, tree, group_info, proposals)
            .map_err(|_| INVALID_GROUP_INFO)?;
        leaf::members(&group)?;
        Ok(Self { provider, group, staged: None })
    }

    pub fn load(group_id: &[u8], entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<Self> {
        let provider = Provider::new(Store::load(group_id, entries));
        let group = PublicGroup::load(&provider.store, &GroupId::from_slice(group_id))?.ok_or(NO_STATE)?;
        Ok(Self { provider, group, staged: None })
    }

    pub fn group_id(&self) -> Vec<u8> {
        self.group.group_id().to_vec()
    }

    pub fn epoch(&self) -> u64 {
        self.group.group_context().epoch().as_u64()
    }

    pub fn members(&self) -> Result<Vec<Leaf>> {
        leaf::members(&self.group)
    }

    pub fn franking_agent(&self) -> Result<Vec<u8>> {
        settings::franking_agent(self.group.group_context()).ok_or(GROUP_SETTINGS)
    }

    /// Stages a member's commit, which adds nobody whose key package may not be added at `now_s`.
    pub fn process(&mut self, commit: &[u8], now_s: u64) -> Result<Change> {
        if self.staged.is_some() {
            return Err(COMMIT_PENDING);
        }
        let message = match handshake::parse(commit)? {
            MlsMessageBodyIn::PublicMessage(message) => message,
            MlsMessageBodyIn::PrivateMessage(_) => return Err(HANDSHAKE_IN_PRIVATE),
            _ => return Err(WRONG_WIRE_FORMAT),
        };
        let roles = handshake::check_commit(&message, commit)?;
        handshake::check_group(self.group.group_id().as_slice(), message.group_id().as_slice())?;
        handshake::check_epoch(self.epoch(), message.epoch().as_u64())?;
        let processed = self.group.process_message(&self.provider.crypto, message)?;
        let Sender::Member(committer) = *processed.sender() else {
            return Err(INVALID_COMMIT);
        };
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err(INVALID_COMMIT);
        };
        for proposal in staged.add_proposals() {
            key_package::check_addable(proposal.add_proposal().key_package(), now_s)?;
        }
        let change = Change::of(&staged, &self.group, committer, &self.provider.crypto, roles)?;
        self.staged = Some(*staged);
        Ok(change)
    }

    /// Merges the staged commit.
    pub fn accept(&mut self) -> Result<()> {
        let staged = self.staged.take().ok_or(NO_COMMIT)?;
        self.group.merge_commit(&self.provider.store, staged).map_err(|_| LIBRARY)
    }

    /// Drops the staged commit, if there is one.
    pub fn discard(&mut self) {
        self.staged = None;
    }

    pub fn take_writes(&self) -> Vec<Write> {
        self.provider.store.take_writes()
    }
}
