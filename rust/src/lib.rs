//! MLS groups for Nightlight, over OpenMLS: a member's (feature `member`), and the hub's public view.
//!
//! State leaves as key → bytes writes; nothing here opens a file or a socket. Only the handshakes of
//! `docs/protocol.md`, "Group state", exist. The feature `python` makes it the module `nightlight_mls`.

pub mod errors;
#[cfg(feature = "member")]
pub mod group;
mod handshake;
pub mod key_package;
pub mod leaf;
#[cfg(feature = "member")]
pub mod member;
mod padding;
pub mod public_group;
#[cfg(feature = "python")]
mod python;
mod settings;
pub mod signing;
pub mod state;
