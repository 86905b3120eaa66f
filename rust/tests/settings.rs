//! A group has exactly our settings, or neither hub nor member takes part in it.

use openmls::prelude::*;

use super::forger::{Forger, bytes};
use super::world::{AGENT, ROOM, World, device, key_package_of, now_s};
use crate::errors::*;
use crate::public_group::HubGroup;
use crate::settings;

/// A GroupInfo, and a Welcome for `invited`, of the forger's group with these settings.
fn invitation(config: &MlsGroupCreateConfig, invited: Option<KeyPackage>) -> (Vec<u8>, Option<Vec<u8>>) {
    let forger = Forger::new("forger");
    let id = GroupId::from_slice(ROOM);
    let mut group = MlsGroup::new_with_group_id(&forger.provider, &forger.key, config, id, forger.credential.clone())
        .expect("a group");
    let group_info = group.export_group_info(forger.provider.crypto(), &forger.key, true).expect("a GroupInfo");
    let welcome = invited.map(|key_package| {
        let (_, welcome, _) = group.add_members(&forger.provider, &forger.key, &[key_package]).expect("a commit");
        bytes(welcome)
    });
    (bytes(group_info), welcome)
}

fn config(extensions: Vec<Extension>) -> MlsGroupCreateConfig {
    MlsGroupCreateConfig::builder()
        .ciphersuite(settings::CIPHERSUITE)
        .use_ratchet_tree_extension(true)
        .capabilities(settings::capabilities())
        .with_group_context_extensions(Extensions::from_vec(extensions).expect("extensions"))
        .build()
}

pub fn dictionary(entries: &[(u16, &[u8])]) -> Extension {
    let mut dictionary = AppDataDictionary::new();
    for (component, data) in entries {
        dictionary.insert(*component, data.to_vec());
    }
    Extension::AppDataDictionary(AppDataDictionaryExtension::new(dictionary))
}

pub fn required() -> Extension {
    let capabilities =
        RequiredCapabilitiesExtension::new(&[ExtensionType::AppDataDictionary], &[], &[CredentialType::Basic]);
    Extension::RequiredCapabilities(capabilities)
}

const OURS: &[(u16, &[u8])] = &[(0x0002, &[2, 0, 0x20]), (0x0021, AGENT)];

#[test]
fn our_settings_are_these_bytes() {
    let (group_info, _) = invitation(&config(vec![required(), dictionary(OURS)]), None);
    let hub = HubGroup::from_group_info(&group_info).expect("our settings");
    assert_eq!(hub.franking_agent().as_deref(), Ok(AGENT));
}

#[test]
fn a_group_with_other_settings_is_refused() {
    let stranger = Forger::new("stranger");
    let sender = ExternalSender::new(stranger.credential.signature_key, stranger.credential.credential);
    let others = [
        vec![],
        vec![required()],
        vec![dictionary(OURS)],
        vec![required(), dictionary(&[(0x0021, AGENT)])],
        vec![required(), dictionary(&[(0x0002, &[2, 0, 0x20])])],
        vec![required(), dictionary(&[(0x0002, &[2, 0, 0x22]), (0x0021, AGENT)])],
        vec![required(), dictionary(&[(0x0002, &[2, 0, 0x20]), (0x0021, AGENT), (0x0022, b"more")])],
        vec![required(), dictionary(OURS), Extension::ExternalSenders(vec![sender])],
    ];
    for extensions in others {
        let mut nadia = device("nadia");
        let message = key_package_of(&mut nadia);
        let invited = crate::key_package::verified(&message, &Default::default()).expect("a key package");
        nadia.take_writes();
        let (group_info, welcome) = invitation(&config(extensions), Some(invited));
        assert_eq!(HubGroup::from_group_info(&group_info).err(), Some(GROUP_SETTINGS)); // NL-244
        assert_eq!(nadia.join(&welcome.expect("a Welcome")).err(), Some(GROUP_SETTINGS));
        assert!(nadia.take_writes().is_empty(), "the key package is kept");
    }
}

#[test]
fn a_group_of_another_suite_is_refused() {
    let config = MlsGroupCreateConfig::builder()
        .ciphersuite(Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519)
        .capabilities(Capabilities::new(
            None,
            None,
            Some(&[ExtensionType::AppDataDictionary]),
            None,
            Some(&[CredentialType::Basic]),
        ))
        .with_group_context_extensions(Extensions::from_vec(vec![required(), dictionary(OURS)]).expect("extensions"))
        .build();
    let (group_info, _) = invitation(&config, None);
    assert_eq!(HubGroup::from_group_info(&group_info).err(), Some(GROUP_SETTINGS));
}

#[test]
fn a_group_info_with_one_bit_changed_is_refused() {
    let world = World::new();
    let mut forged = world.miras.group_info().expect("a GroupInfo");
    *forged.last_mut().expect("bytes") ^= 1;
    assert_eq!(HubGroup::from_group_info(&forged).err(), Some(INVALID_GROUP_INFO)); // NL-243
}

#[test]
fn a_welcome_with_one_bit_changed_is_refused_and_its_key_package_kept() {
    let mut world = World::new();
    let mut nadia = device("nadia");
    let staged = world.miras.commit(&[key_package_of(&mut nadia)], &[], &[], None, now_s()).expect("a commit");
    let honest = staged.welcome.expect("a Welcome");
    let mut forged = honest.clone();
    *forged.last_mut().expect("bytes") ^= 1;
    assert_eq!(nadia.join(&forged).err(), Some(INVALID_WELCOME)); // NL-246
    assert!(nadia.join(&honest).is_ok());
    assert_eq!(nadia.join(&honest).err(), Some(ORPHAN_WELCOME)); // NL-245
}
