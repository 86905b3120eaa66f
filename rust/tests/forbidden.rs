//! Only members' commits with a path and inline Adds and Removes exist: hub and member refuse every other handshake.

use openmls::extensions::SenderExtensionIndex;
use openmls::prelude::*;
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use tls_codec::Deserialize as _;

use super::forger::{Forger, bytes, with_proposal, with_proposals};
use super::settings::{dictionary, required};
use super::world::{ROOM, World, device, key_package_of, now_s};
use crate::errors::*;
use crate::group::Received;
use crate::settings::{self, FRANKING_TAG};

/// Proposals that OpenMLS has no way to make here, each after the byte that says that it is inline.
const REINIT: &[u8] = b"\x01\x00\x05\x04next\x00\x01\x00\x01\x00";
const EXTERNAL_INIT: &[u8] = b"\x01\x00\x06\x20an HPKE output, thirty-two bytes";
const APP_DATA_UPDATE: &[u8] = b"\x01\x00\x08\x00\x21\x01\x05hello";
const SELF_REMOVE: &[u8] = b"\x01\x00\x0a";
const CUSTOM: &[u8] = b"\x01\xf0\x42\x05hello";

/// Valid settings that name another franking agent.
fn another_agent() -> Extensions<GroupContext> {
    let agent = dictionary(&[(0x0002, &[2, 0, 0x20]), (0x0021, b"another franking agent")]);
    Extensions::from_vec(vec![required(), agent]).expect("extensions")
}

fn newcomer() -> KeyPackage {
    Forger::new("newcomer").key_package()
}

fn psk(world: &mut World) -> PreSharedKeyId {
    let provider = &world.forger.provider;
    let psk = Psk::External(ExternalPsk::new(b"a secret of old".to_vec()));
    let id = PreSharedKeyId::new(settings::CIPHERSUITE, provider.rand(), psk).expect("an id");
    id.store(provider, b"between friends").expect("a stored PSK");
    id
}

#[test]
fn standalone_add_is_refused() {
    let mut world = World::new();
    let (proposal, _) = world
        .forger
        .forge(|group, provider, key| group.propose_add_member(provider, key, &newcomer()))
        .expect("an Add");
    assert_eq!(world.refusal_of_ours(&bytes(proposal), &[]), STANDALONE_PROPOSAL); // NL-224
    world.still_works();
}

#[test]
fn standalone_remove_is_refused() {
    let mut world = World::new();
    let mira = LeafNodeIndex::new(0);
    let (proposal, _) =
        world.forger.forge(|group, provider, key| group.propose_remove_member(provider, key, mira)).expect("a Remove");
    assert_eq!(world.refusal_of_ours(&bytes(proposal), &[]), STANDALONE_PROPOSAL);
    world.still_works();
}

#[test]
fn standalone_update_is_refused() {
    let mut world = World::new();
    let parameters = LeafNodeParameters::default();
    let (proposal, _) = world
        .forger
        .forge(|group, provider, key| group.propose_self_update(provider, key, parameters))
        .expect("an Update");
    assert_eq!(world.refusal_of_ours(&bytes(proposal), &[]), STANDALONE_PROPOSAL);
}

#[test]
fn standalone_psk_is_refused() {
    let mut world = World::new();
    let id = psk(&mut world);
    let (proposal, _) =
        world.forger.forge(|group, provider, key| group.propose_pre_shared_key(provider, key, id)).expect("a PSK");
    assert_eq!(world.refusal_of_ours(&bytes(proposal), &[]), STANDALONE_PROPOSAL);
}

#[test]
fn standalone_group_context_extensions_are_refused() {
    let mut world = World::new();
    let (proposal, _) = world
        .forger
        .forge(|group, provider, key| group.propose_group_context_extensions(provider, another_agent(), key))
        .expect("a proposal");
    assert_eq!(world.refusal_of_ours(&bytes(proposal), &[]), STANDALONE_PROPOSAL);
}

#[test]
fn standalone_proposals_of_other_kinds_are_refused() {
    let mut world = World::new();
    let mira = LeafNodeIndex::new(0);
    let (remove, _) =
        world.forger.forge(|group, provider, key| group.propose_remove_member(provider, key, mira)).expect("a Remove");
    let remove = bytes(remove);
    for proposal in [REINIT, EXTERNAL_INIT, SELF_REMOVE, APP_DATA_UPDATE, CUSTOM] {
        assert_eq!(world.refusal(&with_proposal(&remove, &proposal[1..])), STANDALONE_PROPOSAL);
    }
    world.still_works();
}

#[test]
fn leaving_by_a_proposal_is_refused() {
    let mut world = World::new();
    let proposal = world.forger.forge(|group, provider, key| group.leave_group(provider, key)).expect("a proposal");
    assert_eq!(world.refusal_of_ours(&bytes(proposal), &[]), STANDALONE_PROPOSAL);
}

#[test]
fn a_commit_by_reference_is_refused() {
    let mut world = World::new();
    let (proposal, commit) = world.forger.forge(|group, provider, key| {
        let (proposal, _) = group.propose_add_member(provider, key, &newcomer()).expect("an Add");
        (proposal, group.commit_to_pending_proposals(provider, key).expect("a commit").0)
    });
    assert_eq!(world.refusal_of_ours(&bytes(commit), &[&bytes(proposal)]), PROPOSAL_BY_REFERENCE); // NL-225
    world.still_works();
}

#[test]
fn a_commit_with_an_update_by_reference_is_refused() {
    let mut world = World::new();
    let mut accomplice = Forger::new("accomplice");
    world.add(&mut accomplice);
    let parameters = LeafNodeParameters::default();
    let (update, _) = accomplice
        .forge(|group, provider, key| group.propose_self_update(provider, key, parameters))
        .expect("an Update");
    let update = bytes(update);
    world.forger.keep(&update);
    let commit = world.forger.commit();
    assert_eq!(world.refusal_of_ours(&commit, &[&update]), PROPOSAL_BY_REFERENCE);
    world.still_works();
}

#[test]
fn a_commit_of_somebody_s_wish_to_leave_is_refused() {
    let mut world = World::new();
    let mut accomplice = Forger::new("accomplice");
    world.add(&mut accomplice);
    let leave = accomplice.forge(|group, provider, key| group.leave_group(provider, key)).expect("a proposal");
    let leave = bytes(leave);
    world.forger.keep(&leave);
    let commit = world.forger.commit();
    assert_eq!(world.refusal_of_ours(&commit, &[&leave]), PROPOSAL_BY_REFERENCE);
    world.still_works();
}

#[test]
fn a_commit_with_group_context_extensions_is_refused() {
    let mut world = World::new();
    let commit = world.forger.forge(|group, provider, key| {
        let builder = group.commit_builder().propose_group_context_extensions(another_agent()).expect("a proposal");
        let builder = builder.load_psks(provider.storage()).expect("PSKs");
        let builder = builder.build(provider.rand(), provider.crypto(), key, |_| true).expect("a commit");
        bytes(builder.stage_commit(provider).expect("a staged commit").into_commit())
    });
    assert_eq!(world.refusal_of_ours(&commit, &[]), OTHER_PROPOSAL); // NL-226
    world.still_works();
}

#[test]
fn a_commit_with_a_psk_is_refused() {
    let mut world = World::new();
    let id = psk(&mut world);
    world.forger.forge(|group, provider, key| group.propose_pre_shared_key_by_value(provider, key, id)).expect("a PSK");
    let commit = world.forger.commit();
    assert_eq!(world.refusal_of_ours(&commit, &[]), OTHER_PROPOSAL);
    world.still_works();
}

#[test]
fn a_commit_with_a_reinit_is_refused() {
    let mut world = World::new();
    let honest = world.forger.commit();
    assert_eq!(world.refusal(&with_proposals(&honest, REINIT)), OTHER_PROPOSAL);
    world.still_works();
}

#[test]
fn a_commit_with_an_external_init_is_refused() {
    let mut world = World::new();
    let honest = world.forger.commit();
    assert_eq!(world.refusal(&with_proposals(&honest, EXTERNAL_INIT)), OTHER_PROPOSAL);
}

#[test]
fn a_commit_with_a_self_remove_is_refused() {
    let mut world = World::new();
    let honest = world.forger.commit();
    assert_eq!(world.refusal(&with_proposals(&honest, SELF_REMOVE)), OTHER_PROPOSAL);
}

#[test]
fn a_commit_with_a_custom_proposal_is_refused() {
    let mut world = World::new();
    let honest = world.forger.commit();
    assert_eq!(world.refusal(&with_proposals(&honest, CUSTOM)), OTHER_PROPOSAL);
}

#[test]
fn a_commit_with_app_data_is_refused() {
    let mut world = World::new();
    let honest = world.forger.commit();
    assert_eq!(world.refusal(&with_proposals(&honest, APP_DATA_UPDATE)), OTHER_PROPOSAL);
}

#[test]
fn a_commit_without_a_path_is_refused() {
    let mut world = World::new();
    let (commit, _, _) = world
        .forger
        .forge(|group, provider, key| group.add_members_without_update(provider, key, &[newcomer()]))
        .expect("a commit");
    assert_eq!(world.refusal_of_ours(&bytes(commit), &[]), COMMIT_WITHOUT_PATH); // NL-227
    world.still_works();
}

#[test]
fn a_handshake_with_authenticated_data_is_refused() {
    let mut world = World::new();
    world.forger.group().set_aad(b"hello".to_vec());
    let commit = world.forger.commit();
    assert_eq!(world.refusal_of_ours(&commit, &[]), HANDSHAKE_AAD); // NL-228
    world.forger.forge(|group, provider, _| group.clear_pending_commit(provider.storage()).expect("cleared"));
    world.forger.group().set_safe_aad(vec![SafeAadItem::new(FRANKING_TAG, vec![7; 32])]).expect("an item");
    let commit = world.forger.commit();
    assert_eq!(world.refusal(&commit), HANDSHAKE_AAD);
    let roles = |bytes: &[u8]| SafeAadItem::new(settings::ROLES, bytes.to_vec());
    let others = [vec![roles(b"")], vec![SafeAadItem::new(FRANKING_TAG, vec![7; 32]), roles(b"hello")]];
    for items in others {
        world.forger.forge(|group, provider, _| group.clear_pending_commit(provider.storage()).expect("cleared"));
        world.forger.group().set_safe_aad(items).expect("items in order");
        let commit = world.forger.commit();
        assert_eq!(world.refusal(&commit), HANDSHAKE_AAD);
    }
    world.still_works();
}

#[test]
fn a_commit_says_what_it_does_to_roles_to_the_hub_and_to_members() {
    let mut world = World::new();
    for roles in [&b"hello"[..], &[]] {
        let staged = world.miras.commit(&[], &[], roles, None, now_s()).expect("a commit");
        let seen = world.hub.process(&staged.commit, now_s()).expect("a valid commit");
        let Ok(Received::Commit { change, own: true, .. }) = world.miras.receive(&staged.commit) else {
            panic!("the echo")
        };
        assert_eq!((&seen, seen.roles.as_slice()), (&change, roles));
        world.hub.accept().expect("a merge");
        world.miras.accept().expect("a merge");
    }
}

#[test]
fn a_commit_in_a_private_message_is_refused() {
    let mut world = World::new();
    let config = MlsGroupJoinConfig::builder().wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY).build();
    world.forger.forge(|group, provider, _| group.set_configuration(provider.storage(), &config).expect("a setting"));
    let commit = world.forger.commit();
    assert_eq!(world.refusal(&commit), HANDSHAKE_IN_PRIVATE); // NL-220
}

#[test]
fn a_proposal_in_a_private_message_is_refused() {
    let mut world = World::new();
    let config = MlsGroupJoinConfig::builder().wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY).build();
    world.forger.forge(|group, provider, _| group.set_configuration(provider.storage(), &config).expect("a setting"));
    let (proposal, _) = world
        .forger
        .forge(|group, provider, key| group.propose_add_member(provider, key, &newcomer()))
        .expect("an Add");
    assert_eq!(world.refusal(&bytes(proposal)), HANDSHAKE_IN_PRIVATE);
}

#[test]
fn application_data_in_a_public_message_is_refused() {
    let mut world = World::new();
    let honest = world.forger.commit();
    let header = 4 + 1 + ROOM.len() + 8 + 5 + 2;
    let forged = [&honest[..header], &[1, 5][..], b"hello", &[0x40, 64], &[7; 64], &[32], &[7; 32]].concat();
    assert_eq!(world.refusal(&forged), PUBLIC_APPLICATION); // NL-229
}

#[test]
fn an_external_commit_is_refused() {
    let mut world = World::new();
    let stranger = Forger::new("stranger");
    let group_info = world.miras.group_info().expect("a GroupInfo");
    let message = MlsMessageIn::tls_deserialize(&mut &group_info[..]).expect("a message");
    let MlsMessageBodyIn::GroupInfo(group_info) = message.extract() else { panic!("a GroupInfo") };
    let leaf = LeafNodeParameters::builder().with_capabilities(settings::capabilities()).build();
    let (_, bundle) = MlsGroup::external_commit_builder()
        .build_group(&stranger.provider, group_info, stranger.credential.clone())
        .expect("a group")
        .leaf_node_parameters(leaf)
        .load_psks(stranger.provider.storage())
        .expect("PSKs")
        .build(stranger.provider.rand(), stranger.provider.crypto(), &stranger.key, |_| true)
        .expect("a commit")
        .finalize(&stranger.provider)
        .expect("an external commit");
    assert_eq!(world.refusal_of_ours(&bytes(bundle.into_commit()), &[]), EXTERNAL_COMMIT); // NL-223
    world.still_works();
}

#[test]
fn an_external_sender_is_refused() {
    let mut world = World::new();
    let (id, epoch) = (world.forger.group().group_id().clone(), world.forger.group().epoch());
    let stranger = Forger::new("stranger");
    let index = SenderExtensionIndex::new(0);
    type Provider = openmls_rust_crypto::OpenMlsRustCrypto;
    let key = &stranger.key;
    let mira = LeafNodeIndex::new(0);
    let remove = ExternalProposal::new_remove::<Provider>(mira, id.clone(), epoch, key, index).expect("a Remove");
    let add = ExternalProposal::new_add::<Provider>(newcomer(), id.clone(), epoch, key, index).expect("an Add");
    let change = ExternalProposal::new_group_context_extensions::<Provider>(another_agent(), id, epoch, key, index);
    for proposal in [remove, add, change.expect("a proposal")] {
        assert_eq!(world.refusal(&bytes(proposal)), EXTERNAL_SENDER); // NL-221
    }
    world.still_works();
}

#[test]
fn somebody_who_proposes_themselves_is_refused() {
    let mut world = World::new();
    let (id, epoch) = (world.forger.group().group_id().clone(), world.forger.group().epoch());
    let stranger = Forger::new("stranger");
    let key_package = stranger.key_package();
    let proposal = JoinProposal::new::<openmls_rust_crypto::MemoryStorage>(key_package, id, epoch, &stranger.key);
    assert_eq!(world.refusal(&bytes(proposal.expect("a proposal"))), NEW_MEMBER_PROPOSAL); // NL-222
}

#[test]
fn other_messages_in_place_of_a_handshake_are_refused() {
    let mut world = World::new();
    let mut nadia = device("nadia");
    let staged = world.miras.commit(&[key_package_of(&mut nadia)], &[], &[], None, now_s()).expect("a commit");
    world.miras.discard().expect("cleared");
    world.miras.take_writes();
    let others = [
        staged.welcome.expect("a Welcome"),
        world.miras.group_info().expect("a GroupInfo"),
        key_package_of(&mut nadia),
    ];
    for message in others {
        assert_eq!(world.refusal(&message), WRONG_WIRE_FORMAT); // NL-201
    }
    assert_eq!(nadia.join(&staged.commit).err(), Some(WRONG_WIRE_FORMAT));
}
