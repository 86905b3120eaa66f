//! MLS groups for Nightlight, over OpenMLS: a member's (feature `member`), and the hub's public view.
//!
//! State leaves as key → bytes writes; nothing here opens a file or a socket. Only the handshakes of
//! `docs/protocol.md`, "Group state", exist.

pub mod errors;
#[cfg(feature = "member")]
pub mod group;
pub mod handshake;
pub mod key_package;
pub mod leaf;
#[cfg(feature = "member")]
pub mod member;
pub mod padding;
pub mod public_group;
// The crate's own tests are compiled without the Python module, so they need no Python to link with.
#[cfg(not(test))]
mod python;
pub mod settings;
pub mod signing;
pub mod state;
mod storage;
#[cfg(all(test, feature = "member"))]
#[path = "../tests/mod.rs"]
mod tests;
