//! Who is in a group, and what a commit does to that.

use openmls::prelude::{BasicCredential, Credential, LeafNode, LeafNodeIndex, Member, PublicGroup, StagedCommit};
use openmls_rust_crypto::RustCrypto;

use crate::errors::{INVALID_COMMIT, NOT_BASIC, Result};
use crate::key_package;

/// A member: a device's place in the tree, its credential's identity and its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(test), pyo3::pyclass(frozen, eq, hash, get_all, module = "nightlight_mls", from_py_object))]
pub struct Leaf {
    pub index: u32,
    pub credential: Vec<u8>,
    pub signature_key: Vec<u8>,
}

impl Leaf {
    fn new(index: LeafNodeIndex, credential: Credential, signature_key: &[u8]) -> Result<Self> {
        Ok(Self { index: index.u32(), credential: identity(credential)?, signature_key: signature_key.to_vec() })
    }

    fn of_node(index: LeafNodeIndex, node: &LeafNode) -> Result<Self> {
        Self::new(index, node.credential().clone(), node.signature_key().as_slice())
    }

    pub fn of_member(member: Member) -> Result<Self> {
        Self::new(member.index, member.credential, &member.signature_key)
    }
}

/// The identity in a basic credential.
pub fn identity(credential: Credential) -> Result<Vec<u8>> {
    let basic = BasicCredential::try_from(credential).map_err(|_| NOT_BASIC)?;
    Ok(basic.identity().to_vec())
}

pub fn members(group: &PublicGroup) -> Result<Vec<Leaf>> {
    group.members().map(Leaf::of_member).collect()
}

/// What a commit does: from one membership to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), pyo3::pyclass(frozen, eq, get_all, module = "nightlight_mls", from_py_object))]
pub struct Change {
    /// The epoch after it.
    pub epoch: u64,
    /// The committer's leaf after it.
    pub committer: Leaf,
    pub added: Vec<Leaf>,
    /// KeyPackageRefs of the key packages of `added`, in the same order.
    pub references: Vec<Vec<u8>>,
    pub removed: Vec<Leaf>,
    /// The resulting membership, by leaf index.
    pub members: Vec<Leaf>,
    /// The item 0x8001 of its authenticated data, or nothing.
    pub roles: Vec<u8>,
}

impl Change {
    /// What `commit`, made by the leaf `committer`, does to `group`, which has not merged it.
    pub fn of(
        commit: &StagedCommit,
        group: &PublicGroup,
        committer: LeafNodeIndex,
        crypto: &RustCrypto,
        roles: Vec<u8>,
    ) -> Result<Self> {
        let node = commit.update_path_leaf_node().ok_or(INVALID_COMMIT)?;
        let committer = Leaf::of_node(committer, node)?;
        let mut members = members(group)?;
        let mut removed = Vec::new();
        for proposal in commit.remove_proposals() {
            let index = proposal.remove_proposal().removed().u32();
            let place = members.iter().position(|leaf| leaf.index == index).ok_or(INVALID_COMMIT)?;
            removed.push(members.remove(place));
        }
        // An added leaf takes the leftmost free place (RFC 9420, "Add").
        let mut added = Vec::new();
        let mut references = Vec::new();
        for proposal in commit.add_proposals() {
            let place = (0..).zip(&members).find(|(index, leaf)| leaf.index != *index);
            let index = place.map_or(members.len() as u32, |(index, _)| index);
            let key_package = proposal.add_proposal().key_package();
            let leaf = Leaf::of_node(LeafNodeIndex::new(index), key_package.leaf_node())?;
            members.insert(index as usize, leaf.clone());
            added.push(leaf);
            references.push(key_package::reference(key_package, crypto)?);
        }
        let own_place = members.iter_mut().find(|leaf| leaf.index == committer.index).ok_or(INVALID_COMMIT)?;
        *own_place = committer.clone();
        let epoch = commit.group_context().epoch().as_u64();
        Ok(Self { epoch, committer, added, references, removed, members, roles })
    }
}
