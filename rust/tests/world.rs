//! A room: Mira, who made it with our code; the hub; and a forger, who joined with OpenMLS itself.

use std::time::{SystemTime, UNIX_EPOCH};

use openmls::prelude::{
    MlsMessageBodyIn, MlsMessageIn, ProcessedMessageContent, ProposalStore, ProtocolMessage, PublicGroup,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::OpenMlsProvider as _;
use tls_codec::Deserialize as _;

use super::forger::{Forger, bytes};
use crate::errors::Check;
use crate::group::{Group, Received};
use crate::member::Member;
use crate::public_group::HubGroup;

pub const ROOM: &[u8] = b"mimi://courier.example/r/orchard";
pub const AGENT: &[u8] = b"the franking agent";
pub const DAY_S: u64 = 86_400;

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

pub fn device(name: &str) -> Member {
    let mut member = Member::create();
    member.set_credential(name.as_bytes());
    member
}

pub fn key_package_of(member: &mut Member) -> Vec<u8> {
    member.key_packages(1, 30 * DAY_S, now_s(), false).expect("a key package").remove(0)
}

pub struct World {
    pub miras: Group,
    pub hub: HubGroup,
    pub forger: Forger,
}

impl World {
    pub fn new() -> Self {
        let mira = device("mira");
        let mut miras = mira.create_group(ROOM, AGENT).expect("a group");
        let mut hub = HubGroup::from_group_info(&miras.group_info().expect("a GroupInfo")).expect("a hub's view");
        let mut forger = Forger::new("forger");
        let staged = miras.commit(&[bytes(forger.key_package())], &[], &[], None, now_s()).expect("a commit");
        hub.process(&staged.commit, now_s()).expect("a valid commit");
        hub.accept().expect("a merge");
        miras.accept().expect("a merge");
        forger.join(&staged.welcome.expect("a Welcome"));
        Self { miras, hub, forger }
    }

    /// What hub and member both say to a handshake.
    pub fn refusal(&mut self, message: &[u8]) -> Check {
        let by_hub = self.hub.process(message, now_s()).expect_err("the hub refuses it");
        let by_member = self.member_refusal(message);
        assert_eq!(by_hub, by_member);
        by_hub
    }

    pub fn member_refusal(&mut self, message: &[u8]) -> Check {
        self.miras.take_writes();
        let Err(check) = self.miras.receive(message) else { panic!("the member takes it") };
        assert!(self.miras.take_writes().is_empty(), "a refusal writes nothing");
        check
    }

    /// What hub and member both say to a handshake that OpenMLS by itself would have the hub take: only our own rule
    /// stands in its way. `proposals`: what it refers to.
    pub fn refusal_of_ours(&mut self, message: &[u8], proposals: &[&[u8]]) -> Check {
        let provider = OpenMlsRustCrypto::default();
        let group_info = MlsMessageIn::tls_deserialize(&mut &self.miras.group_info().expect("a GroupInfo")[..]);
        let MlsMessageBodyIn::GroupInfo(group_info) = group_info.expect("a message").extract() else {
            panic!("a GroupInfo")
        };
        let tree = group_info.extensions().ratchet_tree().expect("a tree").ratchet_tree().clone();
        let (crypto, store) = (provider.crypto(), provider.storage());
        let (mut group, _) = PublicGroup::from_external(crypto, store, tree, group_info, ProposalStore::new())
            .expect("a group without our rules");
        for proposal in proposals {
            let processed = group.process_message(crypto, protocol_message(proposal)).expect("a proposal");
            let ProcessedMessageContent::ProposalMessage(proposal) = processed.into_content() else {
                panic!("a proposal")
            };
            group.add_proposal(store, *proposal).expect("a stored proposal");
        }
        group.process_message(crypto, protocol_message(message)).expect("OpenMLS takes it");
        self.refusal(message)
    }

    /// The accomplice is in the room too; they have joined with OpenMLS itself.
    pub fn add(&mut self, accomplice: &mut Forger) {
        let staged = self.miras.commit(&[bytes(accomplice.key_package())], &[], &[], None, now_s()).expect("a commit");
        self.hub.process(&staged.commit, now_s()).expect("a valid commit");
        self.hub.accept().expect("a merge");
        self.miras.accept().expect("a merge");
        self.forger.follow(&staged.commit);
        accomplice.join(&staged.welcome.expect("a Welcome"));
    }

    /// What somebody says who has just joined.
    pub fn newcomers_refusal(&mut self, message: &[u8]) -> Check {
        let mut nadia = device("nadia");
        let staged = self.miras.commit(&[key_package_of(&mut nadia)], &[], &[], None, now_s()).expect("a commit");
        let mut nadias = nadia.join(&staged.welcome.expect("a Welcome")).expect("a join");
        let Err(check) = nadias.receive(message) else { panic!("the newcomer takes it") };
        check
    }

    /// The forger's honest commit still goes through: what was refused has broken nothing.
    pub fn still_works(&mut self) {
        let commit = self.forger.update();
        let change = self.hub.process(&commit, now_s()).expect("a valid commit");
        self.hub.accept().expect("a merge");
        let Ok(Received::Commit { change: seen, own: false, .. }) = self.miras.receive(&commit) else {
            panic!("a commit")
        };
        self.miras.apply().expect("a merge");
        assert_eq!(change, seen);
        assert_eq!(self.miras.members(), self.hub.members());
    }
}

pub fn protocol_message(message: &[u8]) -> ProtocolMessage {
    let message = MlsMessageIn::tls_deserialize(&mut &message[..]).expect("a message");
    message.try_into_protocol_message().expect("a handshake")
}
