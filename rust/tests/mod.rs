//! Handshakes and groups that Nightlight's own code cannot make, made with OpenMLS itself.

mod fatal;
mod forbidden;
mod forger;
mod invalid;
mod settings;
mod world;
