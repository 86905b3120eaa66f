//! The one way in which groups are set up: `docs/protocol.md`, "Group state".

use openmls::component::ComponentsList;
use openmls::prelude::{
    AppDataDictionary, AppDataDictionaryExtension, Capabilities, Ciphersuite, CredentialType, Extension, ExtensionType,
    Extensions, GroupContext, Lifetime, MlsGroupCreateConfig, MlsGroupJoinConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
    ProtocolVersion, RequiredCapabilitiesExtension, SenderRatchetConfiguration,
};
use tls_codec::Serialize as _;

use crate::errors::{BAD_ARGUMENT, GROUP_SETTINGS, Result};

pub const CIPHERSUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// The component that lists which others may stand in a SafeAAD.
const SAFE_AAD: u16 = 0x0002;
/// The component whose SafeAAD item is a message's franking tag.
pub const FRANKING_TAG: u16 = 0x0020;
/// The component whose SafeAAD item is a commit's changes of roles. Of the range for private use.
pub const ROLES: u16 = 0x8001;
/// The component that names the hub and its franking key.
const FRANKING_AGENT: u16 = 0x0021;

const OUT_OF_ORDER: u32 = 50;
const FORWARD: u32 = 1000;

/// What every leaf can do. `LastResort` is for key packages alone.
pub fn capabilities() -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[CIPHERSUITE]),
        Some(&[ExtensionType::AppDataDictionary, ExtensionType::LastResort]),
        Some(&[]),
        Some(&[CredentialType::Basic]),
    )
}

/// How a member reads and writes; `padding` is the whole ciphertext's length, or 0.
pub fn join_config(padding: usize) -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(padding)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD))
        .build()
}

pub fn create_config(franking_agent: &[u8]) -> Result<MlsGroupCreateConfig> {
    let config = MlsGroupCreateConfig::builder()
        .ciphersuite(CIPHERSUITE)
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD))
        .capabilities(capabilities())
        // A creator's leaf was never a key package: there is nothing to expire.
        .lifetime(Lifetime::init(0, u64::MAX))
        .with_group_context_extensions(group_context_extensions(franking_agent)?)
        .build();
    Ok(config)
}

/// Exactly the GroupContext extensions that a group with this franking agent has.
fn group_context_extensions(franking_agent: &[u8]) -> Result<Extensions<GroupContext>> {
    let safe_aad = ComponentsList::new(vec![FRANKING_TAG]).tls_serialize_detached().map_err(|_| BAD_ARGUMENT)?;
    let mut dictionary = AppDataDictionary::new();
    dictionary.insert(SAFE_AAD, safe_aad);
    dictionary.insert(FRANKING_AGENT, franking_agent.to_vec());
    let required =
        RequiredCapabilitiesExtension::new(&[ExtensionType::AppDataDictionary], &[], &[CredentialType::Basic]);
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required),
        Extension::AppDataDictionary(AppDataDictionaryExtension::new(dictionary)),
    ])
    .map_err(|_| BAD_ARGUMENT)
}

/// The franking agent of a group, which has exactly our settings.
pub fn check(context: &GroupContext) -> Result<Vec<u8>> {
    let agent = franking_agent(context).ok_or(GROUP_SETTINGS)?;
    let same_suite = context.ciphersuite() == CIPHERSUITE;
    if !same_suite || *context.extensions() != group_context_extensions(&agent)? {
        return Err(GROUP_SETTINGS);
    }
    Ok(agent)
}

/// The bytes of component 0x0021, if there are any.
pub fn franking_agent(context: &GroupContext) -> Option<Vec<u8>> {
    let dictionary = context.extensions().app_data_dictionary()?.dictionary();
    dictionary.get(&FRANKING_AGENT).map(<[u8]>::to_vec)
}
