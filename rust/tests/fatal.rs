//! After a library error nothing is trusted: the check says so, and the handle above is dropped.

use super::world::{AGENT, ROOM, device, key_package_of, now_s};
use crate::errors::*;
use crate::group::Group;

fn stored(group: &Group) -> Vec<(Vec<u8>, Vec<u8>)> {
    group.take_writes().into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect()
}

#[test]
fn state_that_contradicts_itself_is_a_fatal_error() {
    let (mira, mut nadia) = (device("mira"), device("nadia"));
    let mut miras = mira.create_group(ROOM, AGENT).expect("a group");
    let staged = miras.commit(&[key_package_of(&mut nadia)], &[], &[], None, now_s()).expect("a commit");
    let nadias = nadia.join(&staged.welcome.expect("a Welcome")).expect("a join");
    let as_if_in_miras_place = stored(&nadias).into_iter().map(|(key, value)| {
        let value = if key.ends_with(b"own_leaf_index") { vec![0] } else { value };
        (key, value)
    });
    let mut broken = nadia.open(ROOM, as_if_in_miras_place).expect("it loads");
    assert_eq!(broken.encrypt(b"hello", &[7; 32]), Err(LIBRARY)); // NL-290
}

#[test]
fn state_that_lacks_an_entry_is_not_a_group() {
    let mira = device("mira");
    let entries = stored(&mira.create_group(ROOM, AGENT).expect("a group"));
    for missing in ["tree", "context", "message_secrets", "epoch_secrets", "joined_epoch", "group_state"] {
        let some = entries.iter().filter(|(key, _)| !key.ends_with(missing.as_bytes())).cloned();
        assert_eq!(mira.open(ROOM, some).err(), Some(NO_STATE), "{missing}"); // NL-203
    }
    assert!(mira.open(ROOM, entries).is_ok());
}

#[test]
fn a_panic_becomes_a_fatal_check() {
    let outcome: Result<()> = guarded(|| panic!("as if a library had a bug"));
    assert_eq!(outcome, Err(PANIC)); // NL-291
}

#[test]
fn numbers_are_unique_and_rising() {
    assert!(CHECKS.windows(2).all(|pair| pair[0].number < pair[1].number));
}
