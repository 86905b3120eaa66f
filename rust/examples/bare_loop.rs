//! What OpenMLS does by itself, with its own memory storage: the limit that the crate is measured against.
//!
//! Two members, contents of 1 KiB. Prints `{"encrypt_ns": …, "decrypt_ns": …}`, nanoseconds for one message each,
//! the median of rounds. `cargo run --release --example bare_loop -- ROUNDS MESSAGES`

use std::time::Instant;

use openmls::prelude::*;
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

const CIPHERSUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
const CONTENT: [u8; 1024] = [b'x'; 1024];

struct Person {
    provider: OpenMlsRustCrypto,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
}

impl Person {
    fn new(name: &[u8]) -> Self {
        let signer = SignatureKeyPair::new(CIPHERSUITE.signature_algorithm()).expect("a key");
        let credential = CredentialWithKey {
            credential: BasicCredential::new(name.to_vec()).into(),
            signature_key: signer.to_public_vec().into(),
        };
        Self { provider: OpenMlsRustCrypto::default(), signer, credential }
    }
}

fn group_of_two(anna: &Person, ben: &Person) -> (MlsGroup, MlsGroup) {
    let ratchet = SenderRatchetConfiguration::new(50, 1000);
    let create = MlsGroupCreateConfig::builder()
        .ciphersuite(CIPHERSUITE)
        .sender_ratchet_configuration(ratchet)
        .use_ratchet_tree_extension(true)
        .build();
    let join = MlsGroupJoinConfig::builder().sender_ratchet_configuration(ratchet).build();
    let bundle = KeyPackage::builder()
        .build(CIPHERSUITE, &ben.provider, &ben.signer, ben.credential.clone())
        .expect("a key package");
    let mut annas = MlsGroup::new(&anna.provider, &anna.signer, &create, anna.credential.clone()).expect("a group");
    let (_, welcome, _) =
        annas.add_members(&anna.provider, &anna.signer, &[bundle.key_package().clone()]).expect("a commit");
    annas.merge_pending_commit(&anna.provider).expect("a merge");
    let MlsMessageBodyOut::Welcome(welcome) = welcome.body().clone() else { unreachable!("a Welcome is one") };
    let bens = StagedWelcome::new_from_welcome(&ben.provider, &join, welcome, None)
        .and_then(|staged| staged.into_group(&ben.provider))
        .expect("a join");
    (annas, bens)
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let rounds: usize = arguments.next().unwrap_or(20);
    let messages: usize = arguments.next().unwrap_or(500);
    let (anna, ben) = (Person::new(b"anna"), Person::new(b"ben"));
    let (mut annas, mut bens) = group_of_two(&anna, &ben);
    let (mut encrypt, mut decrypt) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        let sent: Vec<Vec<u8>> = (0..messages)
            .map(|_| annas.create_message(&anna.provider, &anna.signer, &CONTENT).expect("a message"))
            .map(|message| message.to_bytes().expect("bytes"))
            .collect();
        encrypt.push(start.elapsed().as_nanos() / messages as u128);
        let start = Instant::now();
        for bytes in &sent {
            let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).expect("a message");
            let message = message.try_into_protocol_message().expect("a group's message");
            let processed = bens.process_message(&ben.provider, message).expect("a decrypted message");
            assert!(matches!(processed.into_content(), ProcessedMessageContent::ApplicationMessage(_)));
        }
        decrypt.push(start.elapsed().as_nanos() / messages as u128);
    }
    println!("{{\"encrypt_ns\": {}, \"decrypt_ns\": {}}}", median(encrypt), median(decrypt));
}

fn median(mut numbers: Vec<u128>) -> u128 {
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}
