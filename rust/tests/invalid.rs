//! What is of the right shape and still does not hold.

use openmls::prelude::*;

use super::forger::{Forger, bytes};
use super::world::{DAY_S, World, device, key_package_of, now_s};
use crate::errors::*;
use crate::group::Received;
use crate::key_package;
use crate::settings::FRANKING_TAG;

fn tag() -> SafeAadItem {
    SafeAadItem::new(FRANKING_TAG, vec![7; 32])
}

#[test]
fn a_message_with_one_franking_tag_is_read() {
    let mut world = World::new();
    let message = world.forger.message(vec![tag()], b"");
    let Ok(Received::Application { data, tag, .. }) = world.miras.receive(&message) else { panic!("a message") };
    assert_eq!((data.as_slice(), tag), (&b"hello"[..], [7; 32]));
}

#[test]
fn a_message_without_exactly_one_franking_tag_is_refused() {
    let mut world = World::new();
    let odd: [(Vec<SafeAadItem>, &[u8]); 6] = [
        (vec![], b""),
        (vec![tag()], b"tail"),
        (vec![SafeAadItem::new(FRANKING_TAG, vec![7; 31])], b""),
        (vec![SafeAadItem::new(FRANKING_TAG, vec![7; 33])], b""),
        (vec![SafeAadItem::new(0x0022, vec![7; 32])], b""),
        (vec![tag(), SafeAadItem::new(0x0022, vec![7; 32])], b""),
    ];
    for (items, tail) in odd {
        let message = world.forger.message(items, tail);
        assert_eq!(world.member_refusal(&message), APPLICATION_AAD); // NL-232
    }
    let message = world.forger.message(vec![tag()], b"");
    assert!(world.miras.receive(&message).is_ok());
}

#[test]
fn a_commit_with_one_bit_changed_is_refused() {
    let mut world = World::new();
    let honest = world.forger.commit();
    world.hub.process(&honest, now_s()).expect("the honest commit is valid");
    world.hub.discard();
    let mut forged = honest.clone();
    // before the two tags, 33 bytes each, the signature ends
    let in_signature = honest.len() - 70;
    forged[in_signature] ^= 1;
    assert_eq!(world.refusal(&forged), INVALID_COMMIT); // NL-230
    world.still_works();
}

#[test]
fn a_wrong_confirmation_tag_passes_the_hub_and_no_member() {
    let mut world = World::new();
    let mut forged = world.forger.commit();
    // the message ends with V(confirmation tag) and V(membership tag), 33 bytes each
    let in_confirmation_tag = forged.len() - 40;
    forged[in_confirmation_tag] ^= 1;
    assert!(world.hub.process(&forged, now_s()).is_ok());
    world.hub.discard();
    assert_eq!(world.member_refusal(&forged), INVALID_COMMIT);
}

#[test]
fn a_message_with_one_bit_changed_is_refused_and_can_still_be_read() {
    let mut world = World::new();
    let honest = world.forger.message(vec![tag()], b"");
    let mut forged = honest.clone();
    *forged.last_mut().expect("bytes") ^= 1;
    assert_eq!(world.member_refusal(&forged), INVALID_MESSAGE); // NL-231
    assert!(world.miras.receive(&honest).is_ok());
}

#[test]
fn a_message_for_another_room_is_refused() {
    let mut world = World::new();
    let mut message = world.forger.message(vec![tag()], b"");
    message[5] ^= 1;
    assert_eq!(world.member_refusal(&message), OTHER_GROUP); // NL-202
    let mut commit = world.forger.commit();
    commit[5] ^= 1;
    assert_eq!(world.refusal(&commit), OTHER_GROUP);
}

#[test]
fn a_commit_of_another_epoch_is_refused() {
    let mut world = World::new();
    let old = world.forger.commit();
    world.still_works();
    assert_eq!(world.refusal(&old), PAST_EPOCH); // NL-204
    world.forger.update();
    let future = world.forger.commit();
    assert_eq!(world.refusal(&future), FUTURE_EPOCH); // NL-205
    assert_eq!(world.newcomers_refusal(&old), BEFORE_MEMBERSHIP); // NL-206
}

#[test]
fn a_key_package_with_an_endless_lifetime_is_refused() {
    let mut world = World::new();
    let forger = Forger::new("endless");
    let endless = bytes(forger.bundle(Lifetime::init(0, u64::MAX)).into_key_package());
    assert_eq!(key_package::read(&endless, &Default::default()), Err(KEY_PACKAGE_LIFETIME)); // NL-242
    assert_eq!(world.miras.commit(&[endless], &[], &[], None, now_s()).err(), Some(KEY_PACKAGE_LIFETIME));
    let bundle = forger.bundle(Lifetime::init(0, u64::MAX));
    let key_package = bundle.into_key_package();
    let commit = world
        .forger
        .forge(|group, provider, key| group.add_members(provider, key, &[key_package]).expect("OpenMLS takes it").0);
    assert_eq!(world.hub.process(&bytes(commit), now_s()), Err(KEY_PACKAGE_LIFETIME));
}

#[test]
fn a_key_package_past_its_lifetime_is_not_added() {
    let mut world = World::new();
    let mut nadia = device("nadia");
    let (first, last) = (now_s() - 3600, now_s() + 30 * DAY_S);
    let key_package = key_package_of(&mut nadia);
    for outside in [first - 60, last + 60] {
        let refused = world.miras.commit(std::slice::from_ref(&key_package), &[], &[], None, outside);
        assert_eq!(refused.err(), Some(KEY_PACKAGE_EXPIRED)); // NL-241
    }
    let staged = world.miras.commit(&[key_package], &[], &[], None, now_s()).expect("a commit");
    assert_eq!(world.hub.process(&staged.commit, last + 60), Err(KEY_PACKAGE_EXPIRED));
    assert!(world.hub.process(&staged.commit, last - 60).is_ok());
}

#[test]
fn a_leaf_outside_its_lifetime_by_this_machine_s_clock_is_told_from_an_invalid_one() {
    let expired = bytes(Forger::new("late").bundle(Lifetime::init(1, 2)).into_key_package());
    assert_eq!(key_package::read(&expired, &Default::default()), Err(LEAF_LIFETIME_BY_CLOCK)); // NL-233
}

#[test]
fn a_key_package_with_one_bit_changed_is_refused() {
    let mut world = World::new();
    let mut forged = key_package_of(&mut device("nadia"));
    *forged.last_mut().expect("bytes") ^= 1;
    assert_eq!(key_package::read(&forged, &Default::default()), Err(INVALID_KEY_PACKAGE)); // NL-240
    assert_eq!(world.miras.commit(&[forged], &[], &[], None, now_s()).err(), Some(INVALID_KEY_PACKAGE));
}

#[test]
fn a_credential_that_is_not_basic_is_refused() {
    let mut forger = Forger::new("certified");
    forger.credential.credential = Credential::new(CredentialType::X509, b"a certificate".to_vec());
    let capabilities = Capabilities::new(None, None, None, None, Some(&[CredentialType::X509, CredentialType::Basic]));
    let bundle = KeyPackage::builder()
        .leaf_node_capabilities(capabilities)
        .build(crate::settings::CIPHERSUITE, &forger.provider, &forger.key, forger.credential.clone())
        .expect("a key package");
    let message = bytes(bundle.into_key_package());
    assert_eq!(key_package::read(&message, &Default::default()), Err(NOT_BASIC)); // NL-234
}
