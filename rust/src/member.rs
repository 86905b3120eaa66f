//! One device: its signature key, its credential and its key packages.

use std::sync::Arc;

use openmls::prelude::{
    BasicCredential, Credential, CredentialWithKey, GroupId, KeyPackage, KeyPackageRef, MlsGroup, MlsMessageBodyIn,
    MlsMessageOut, StagedWelcome,
};
use tls_codec::{DeserializeBytes as _, Serialize as _, VLByteSlice};

use crate::errors::{BAD_ARGUMENT, LIBRARY, NO_CREDENTIAL, NO_STATE, ORPHAN_WELCOME, Result, WRONG_WIRE_FORMAT};
use crate::group::Group;
use crate::signing::SigningKey;
use crate::state::{Provider, Store, Write, key_package_name};
use crate::{handshake, key_package, settings};

const SIGNATURE_KEY: &[u8] = b"signature_key";
const CREDENTIAL: &[u8] = b"credential";

pub struct Member {
    provider: Provider,
    key: Arc<SigningKey>,
}

impl Member {
    /// A device with a fresh signature key.
    pub fn create() -> Self {
        let key = SigningKey::generate();
        let store = Store::new(b"");
        store.put_bytes(SIGNATURE_KEY, key.seed().to_vec());
        Self { provider: Provider::new(store), key: Arc::new(key) }
    }

    /// The device whose own entries these are.
    pub fn load(entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<Self> {
        let store = Store::load(b"", entries);
        let key = SigningKey::from_seed(&store.bytes(SIGNATURE_KEY).ok_or(NO_STATE)?).map_err(|_| NO_STATE)?;
        Ok(Self { provider: Provider::new(store), key: Arc::new(key) })
    }

    pub fn signature_key(&self) -> [u8; 32] {
        self.key.public_key()
    }

    /// Key packages and groups made from now on carry this credential.
    pub fn set_credential(&mut self, credential: &[u8]) {
        self.provider.store.put_bytes(CREDENTIAL, credential.to_vec());
    }

    /// `count` fresh key packages as MLSMessages, to be added from `now_s` on for `lifetime_s`.
    pub fn key_packages(
        &mut self,
        count: usize,
        lifetime_s: u64,
        now_s: u64,
        last_resort: bool,
    ) -> Result<Vec<Vec<u8>>> {
        let credential = self.credential()?;
        let lifetime = key_package::lifetime(now_s, lifetime_s)?;
        let make = |_| {
            let mut builder =
                KeyPackage::builder().key_package_lifetime(lifetime).leaf_node_capabilities(settings::capabilities());
            if last_resort {
                builder = builder.mark_as_last_resort();
            }
            let bundle = builder
                .build(settings::CIPHERSUITE, &self.provider, &*self.key, credential.clone())
                .map_err(|_| LIBRARY)?;
            MlsMessageOut::from(bundle.into_key_package()).to_bytes().map_err(|_| LIBRARY)
        };
        (0..count).map(make).collect()
    }

    /// The private halves of these key packages are gone.
    pub fn forget_key_packages(&mut self, references: &[Vec<u8>]) -> Result<()> {
        for reference in references {
            let vector = VLByteSlice(reference).tls_serialize_detached().map_err(|_| BAD_ARGUMENT)?;
            let reference = KeyPackageRef::tls_deserialize_exact_bytes(&vector).map_err(|_| BAD_ARGUMENT)?;
            self.provider.store.delete(&key_package_name(&reference));
        }
        Ok(())
    }

    /// A new group in which this device is alone.
    pub fn create_group(&self, group_id: &[u8], franking_agent: &[u8]) -> Result<Group> {
        let provider = Provider::new(Store::new(group_id));
        let config = settings::create_config(franking_agent)?;
        let id = GroupId::from_slice(group_id);
        let group =
            MlsGroup::new_with_group_id(&provider, &*self.key, &config, id, self.credential()?).map_err(|_| LIBRARY)?;
        Group::joined(provider, Arc::clone(&self.key), group)
    }

    /// The group of a Welcome. The key package it was for is used up, unless it is the last resort; after an
    /// error it is not, so that nothing is lost.
    pub fn join(&mut self, welcome: &[u8]) -> Result<Group> {
        let MlsMessageBodyIn::Welcome(welcome) = handshake::parse(welcome)? else {
            return Err(WRONG_WIRE_FORMAT);
        };
        // OpenMLS deletes the key package before it has checked the Welcome: it gets a copy.
        let held = welcome.secrets().iter().find_map(|secrets| {
            let name = key_package_name(&secrets.new_member());
            self.provider.store.bytes(&name).map(|bytes| (name, bytes))
        });
        let (name, bytes) = held.ok_or(ORPHAN_WELCOME)?;
        let scratch = Provider::new(Store::new(b""));
        scratch.store.put_bytes(&name, bytes.to_vec());
        let staged = StagedWelcome::build_from_welcome(&scratch, &settings::join_config(0), welcome)?
            .skip_lifetime_validation()
            .build()?;
        settings::check(staged.group_context())?;
        let provider = Provider::new(Store::new(staged.group_context().group_id().as_slice()));
        let group = staged.into_group(&provider)?;
        let group = Group::joined(provider, Arc::clone(&self.key), group)?;
        group.members()?;
        if scratch.store.bytes(&name).is_none() {
            self.provider.store.delete(&name);
        }
        Ok(group)
    }

    /// The group whose entries these are.
    pub fn open(&self, group_id: &[u8], entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<Group> {
        Group::open(Store::load(group_id, entries), Arc::clone(&self.key), group_id)
    }

    pub fn take_writes(&self) -> Vec<Write> {
        self.provider.store.take_writes()
    }

    fn credential(&self) -> Result<CredentialWithKey> {
        let identity = self.provider.store.bytes(CREDENTIAL).ok_or(NO_CREDENTIAL)?;
        Ok(credential_with_key(&identity, &self.key))
    }
}

pub fn credential_with_key(identity: &[u8], key: &SigningKey) -> CredentialWithKey {
    CredentialWithKey {
        credential: Credential::from(BasicCredential::new(identity.to_vec())),
        signature_key: key.public_key().to_vec().into(),
    }
}
