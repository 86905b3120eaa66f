//! Which messages exist: read without keys, and everything else refused before OpenMLS sees it.

use openmls::prelude::{
    ContentType, KeyPackageIn, MlsMessageBodyIn, MlsMessageIn, PrivateMessageIn, PublicMessageIn, Sender,
};
use tls_codec::{DeserializeBytes as _, VLBytes};

use crate::errors::{
    APPLICATION_AAD, COMMIT_WITHOUT_PATH, EXTERNAL_COMMIT, EXTERNAL_SENDER, FUTURE_EPOCH, HANDSHAKE_AAD,
    HANDSHAKE_IN_PRIVATE, MALFORMED_MESSAGE, NEW_MEMBER_PROPOSAL, OTHER_GROUP, OTHER_PROPOSAL, PAST_EPOCH,
    PROPOSAL_BY_REFERENCE, PUBLIC_APPLICATION, Result, STANDALONE_PROPOSAL,
};
use crate::settings::{FRANKING_TAG, ROLES};

pub const TAG_BYTES: usize = 32;

const EMPTY_SAFE_AAD: &[u8] = &[0];
const ADD: u16 = 1;
const REMOVE: u16 = 3;
const INLINE: u8 = 1;
const PRESENT: u8 = 1;

/// The one MLSMessage that `bytes` are.
pub fn parse(bytes: &[u8]) -> Result<MlsMessageBodyIn> {
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| MALFORMED_MESSAGE)?;
    Ok(message.extract())
}

/// A message for the group `found` is for ours.
pub fn check_group(expected: &[u8], found: &[u8]) -> Result<()> {
    if expected == found { Ok(()) } else { Err(OTHER_GROUP) }
}

pub fn check_epoch(current: u64, found: u64) -> Result<()> {
    match found.cmp(&current) {
        std::cmp::Ordering::Less => Err(PAST_EPOCH),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(FUTURE_EPOCH),
    }
}

/// The franking tag of a PrivateMessage, which holds application data.
pub fn check_application(message: &PrivateMessageIn) -> Result<[u8; TAG_BYTES]> {
    if message.content_type() != ContentType::Application {
        return Err(HANDSHAKE_IN_PRIVATE);
    }
    let tag = message.aad().last_chunk().ok_or(APPLICATION_AAD)?;
    if message.aad() == application_aad(tag) { Ok(*tag) } else { Err(APPLICATION_AAD) }
}

/// `SafeAAD{ 0x0020: tag }`, 36 bytes.
fn application_aad(tag: &[u8; TAG_BYTES]) -> [u8; 36] {
    let mut aad = [0; 36];
    let [high, low] = FRANKING_TAG.to_be_bytes();
    aad[..4].copy_from_slice(&[35, high, low, 32]);
    aad[4..].copy_from_slice(tag);
    aad
}

/// `message`, whose encoding is `bytes`, is a member's commit with a path, inline Adds and Removes and nothing else.
///
/// Returns what its authenticated data says about roles, if anything.
pub fn check_commit(message: &PublicMessageIn, bytes: &[u8]) -> Result<Vec<u8>> {
    match message.sender() {
        Sender::Member(_) => {}
        Sender::External(_) => return Err(EXTERNAL_SENDER),
        Sender::NewMemberProposal => return Err(NEW_MEMBER_PROPOSAL),
        Sender::NewMemberCommit => return Err(EXTERNAL_COMMIT),
    }
    match message.content_type() {
        ContentType::Commit => {}
        ContentType::Proposal => return Err(STANDALONE_PROPOSAL),
        ContentType::Application => return Err(PUBLIC_APPLICATION),
    }
    let plain = PlainCommit::read(bytes).map_err(|_| MALFORMED_MESSAGE)?;
    let roles = roles_in(&plain.authenticated_data).ok_or(HANDSHAKE_AAD)?;
    let mut proposals = plain.proposals.as_slice();
    while !proposals.is_empty() {
        proposals = after_proposal(proposals)?;
    }
    if plain.path == PRESENT { Ok(roles) } else { Err(COMMIT_WITHOUT_PATH) }
}

/// What `SafeAAD{ 0x8001: roles }` holds; nothing, if it is empty.
fn roles_in(authenticated_data: &[u8]) -> Option<Vec<u8>> {
    if authenticated_data == EMPTY_SAFE_AAD {
        return Some(Vec::new());
    }
    let items = VLBytes::tls_deserialize_exact_bytes(authenticated_data).ok()?;
    let (component, rest) = u16::tls_deserialize_bytes(items.as_slice()).ok()?;
    let roles = VLBytes::tls_deserialize_exact_bytes(rest).ok()?;
    (component == ROLES && !roles.as_slice().is_empty()).then(|| roles.into())
}

/// The fields of a member's commit that OpenMLS keeps to itself (RFC 9420, "Message Framing" and "Commit").
struct PlainCommit {
    authenticated_data: Vec<u8>,
    proposals: Vec<u8>,
    path: u8,
}

impl PlainCommit {
    fn read(bytes: &[u8]) -> std::result::Result<Self, tls_codec::Error> {
        let (_version_and_wire_format, rest) = <[u8; 4]>::tls_deserialize_bytes(bytes)?;
        let (_group_id, rest) = VLBytes::tls_deserialize_bytes(rest)?;
        let (_epoch, rest) = u64::tls_deserialize_bytes(rest)?;
        let (_sender_type_and_leaf, rest) = <[u8; 5]>::tls_deserialize_bytes(rest)?;
        let (authenticated_data, rest) = VLBytes::tls_deserialize_bytes(rest)?;
        let (_content_type, rest) = u8::tls_deserialize_bytes(rest)?;
        let (proposals, rest) = VLBytes::tls_deserialize_bytes(rest)?;
        let (path, _rest) = u8::tls_deserialize_bytes(rest)?;
        Ok(Self { authenticated_data: authenticated_data.into(), proposals: proposals.into(), path })
    }
}

/// What follows the first ProposalOrRef, which is an inline Add or Remove.
fn after_proposal(bytes: &[u8]) -> Result<&[u8]> {
    let malformed = |_| MALFORMED_MESSAGE;
    let (kind, rest) = u8::tls_deserialize_bytes(bytes).map_err(malformed)?;
    if kind != INLINE {
        return Err(PROPOSAL_BY_REFERENCE);
    }
    let (proposal, rest) = u16::tls_deserialize_bytes(rest).map_err(malformed)?;
    match proposal {
        ADD => KeyPackageIn::tls_deserialize_bytes(rest).map(|(_, rest)| rest).map_err(malformed),
        REMOVE => u32::tls_deserialize_bytes(rest).map(|(_, rest)| rest).map_err(malformed),
        _ => Err(OTHER_PROPOSAL),
    }
}
