//! What OpenMLS does by itself, with its own memory storage: the limit that the crate is measured against.
//!
//! Contents of 1 KiB. Prints `{"encrypt_ns": …, "decrypt_ns": …, "add_ns": …, "join_ns": …}`: nanoseconds for one message
//! each, the median of rounds; and for the commit by which the first member adds all others, and the last one joins.
//! `cargo run --release --example bare_loop -- ROUNDS MESSAGES MEMBERS`

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

struct Group {
    annas: MlsGroup,
    bens: MlsGroup,
    add_ns: u128,
    join_ns: u128,
}

fn group(anna: &Person, ben: &Person, others: &[Person]) -> Group {
    let ratchet = SenderRatchetConfiguration::new(50, 1000);
    let create = MlsGroupCreateConfig::builder()
        .ciphersuite(CIPHERSUITE)
        .sender_ratchet_configuration(ratchet)
        .use_ratchet_tree_extension(true)
        .build();
    let join = MlsGroupJoinConfig::builder().sender_ratchet_configuration(ratchet).build();
    let packages: Vec<KeyPackage> = others
        .iter()
        .chain([ben])
        .map(|person| {
            let credential = person.credential.clone();
            KeyPackage::builder()
                .build(CIPHERSUITE, &person.provider, &person.signer, credential)
                .expect("a key package")
                .key_package()
                .clone()
        })
        .collect();
    let mut annas = MlsGroup::new(&anna.provider, &anna.signer, &create, anna.credential.clone()).expect("a group");
    let start = Instant::now();
    let (_, welcome, _) = annas.add_members(&anna.provider, &anna.signer, &packages).expect("a commit");
    annas.merge_pending_commit(&anna.provider).expect("a merge");
    let add_ns = start.elapsed().as_nanos();
    let MlsMessageBodyOut::Welcome(welcome) = welcome.body().clone() else { unreachable!("a Welcome is one") };
    let start = Instant::now();
    let bens = StagedWelcome::new_from_welcome(&ben.provider, &join, welcome, None)
        .and_then(|staged| staged.into_group(&ben.provider))
        .expect("a join");
    Group { annas, bens, add_ns, join_ns: start.elapsed().as_nanos() }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let rounds: usize = arguments.next().unwrap_or(20);
    let messages: usize = arguments.next().unwrap_or(500);
    let members: usize = arguments.next().unwrap_or(2);
    let (anna, ben) = (Person::new(b"anna"), Person::new(b"ben"));
    let others: Vec<Person> = (2..members).map(|number| Person::new(format!("carla{number}").as_bytes())).collect();
    let Group { mut annas, mut bens, add_ns, join_ns } = group(&anna, &ben, &others);
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
    let (encrypt_ns, decrypt_ns) = (median(encrypt), median(decrypt));
    println!(
        "{{\"encrypt_ns\": {encrypt_ns}, \"decrypt_ns\": {decrypt_ns}, \"add_ns\": {add_ns}, \"join_ns\": {join_ns}}}"
    );
}

fn median(mut numbers: Vec<u128>) -> u128 {
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}
