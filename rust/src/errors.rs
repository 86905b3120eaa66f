//! What can go wrong, as one table: a number for `docs/protocol.md`, a kind, and the sentence that must hold.

use openmls::framing::errors::MessageDecryptionError;
use openmls::prelude::{
    CreateCommitError, KeyPackageVerifyError, ProcessMessageError, ProposalValidationError, PublicProcessMessageError,
    StageCommitError, ValidationError, WelcomeError,
};
use openmls::treesync::errors::LeafNodeValidationError;

use crate::state::StoreError;

/// Which Python exception a failed check becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bytes are not what they claim to be.
    Malformed,
    /// A message of another epoch than the group's.
    WrongEpoch,
    /// A message whose key was used, or a commit already merged.
    Duplicate,
    /// A generation outside the window of 50 back and 1000 forward.
    TooDistant,
    /// A handshake that does not exist in Nightlight.
    ForbiddenHandshake,
    /// A signature, tag, key or rule that does not hold.
    Invalid,
    /// Another group's message, or no state for this group.
    UnknownGroup,
    /// The hub is past this member, who must be added anew.
    Desync,
    /// A Welcome for a key package that this device does not hold.
    OrphanWelcome,
    /// The caller asked for something in the wrong state.
    State,
    /// A library error or a caught panic: discard the handle and reload.
    Fatal,
}

/// A check that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    pub number: &'static str,
    pub kind: Kind,
    pub reason: &'static str,
}

pub type Result<T> = std::result::Result<T, Check>;

macro_rules! checks {
    ($($name:ident = $number:literal $kind:ident $reason:literal;)*) => {
        $(pub const $name: Check = Check { number: $number, kind: Kind::$kind, reason: $reason };)*

        /// Every check of this crate.
        pub const CHECKS: &[Check] = &[$($name),*];
    };
}

checks! {
    MALFORMED_MESSAGE = "NL-200" Malformed "The bytes are one whole MLSMessage of MLS 1.0.";
    WRONG_WIRE_FORMAT = "NL-201" Malformed "The MLSMessage is of the wire format expected in this place.";
    OTHER_GROUP = "NL-202" UnknownGroup "The message is for this group.";
    NO_STATE = "NL-203" UnknownGroup "The stored entries hold a whole group or member.";
    PAST_EPOCH = "NL-204" WrongEpoch "The message is not of an epoch that the group has left.";
    FUTURE_EPOCH = "NL-205" WrongEpoch "The message is not of an epoch that the group has yet to reach.";
    BEFORE_MEMBERSHIP = "NL-206" WrongEpoch "The message is not of an epoch before this device joined.";
    ALREADY_READ = "NL-207" Duplicate "The message's generation has not been read yet.";
    OWN_MESSAGE = "NL-208" Duplicate "The message is not one that this device sent itself.";
    COMMIT_ALREADY_MERGED = "NL-209" Duplicate "The commit is not the one that made the present epoch.";
    TOO_OLD = "NL-210" TooDistant "The generation is at most 50 behind the newest one read.";
    TOO_FAR_AHEAD = "NL-211" TooDistant "The generation is at most 1000 ahead of the newest one read.";
    HANDSHAKE_IN_PRIVATE = "NL-220" ForbiddenHandshake "A PrivateMessage holds application data, never a handshake.";
    EXTERNAL_SENDER = "NL-221" ForbiddenHandshake "The sender is a member, not an external sender.";
    NEW_MEMBER_PROPOSAL = "NL-222" ForbiddenHandshake "The sender is a member, not somebody who proposes themselves.";
    EXTERNAL_COMMIT = "NL-223" ForbiddenHandshake "The sender is a member, not somebody who joins by an external commit.";
    STANDALONE_PROPOSAL = "NL-224" ForbiddenHandshake "A handshake is a commit, not a standalone proposal.";
    PROPOSAL_BY_REFERENCE = "NL-225" ForbiddenHandshake "A commit holds its proposals inline, not by reference.";
    OTHER_PROPOSAL = "NL-226" ForbiddenHandshake "A commit holds no proposal but Add and Remove.";
    COMMIT_WITHOUT_PATH = "NL-227" ForbiddenHandshake "A commit has a path.";
    HANDSHAKE_AAD = "NL-228" ForbiddenHandshake "A handshake's authenticated data is a SafeAAD that is empty, or has one item 0x8001.";
    PUBLIC_APPLICATION = "NL-229" ForbiddenHandshake "Application data is in a PrivateMessage.";
    INVALID_COMMIT = "NL-230" Invalid "The commit's signature, tags, path and proposals are valid in this group.";
    INVALID_MESSAGE = "NL-231" Invalid "The message decrypts, and its signature is its sender's.";
    APPLICATION_AAD = "NL-232" Invalid "A message's authenticated data is a SafeAAD with one 32-byte item 0x0020 and nothing else.";
    LEAF_LIFETIME_BY_CLOCK = "NL-233" Invalid "An added leaf is within its lifetime by this machine's clock.";
    NOT_BASIC = "NL-234" Invalid "A leaf's credential is basic.";
    INVALID_KEY_PACKAGE = "NL-240" Invalid "A key package's signatures, suite, keys and capabilities are valid.";
    KEY_PACKAGE_EXPIRED = "NL-241" Invalid "A key package is added within its lifetime.";
    KEY_PACKAGE_LIFETIME = "NL-242" Invalid "A key package's lifetime is at most 90 days, with 31 days of margin on both sides.";
    INVALID_GROUP_INFO = "NL-243" Invalid "A GroupInfo's signature, tree and leaves are valid.";
    GROUP_SETTINGS = "NL-244" Invalid "A group has suite 1 and exactly the GroupContext extensions of this page.";
    ORPHAN_WELCOME = "NL-245" OrphanWelcome "A Welcome is for a key package that this device holds.";
    INVALID_WELCOME = "NL-246" Invalid "A Welcome decrypts to a valid group that this device is in.";
    CLEARED_COMMIT = "NL-250" Desync "A commit of this device that the hub accepted is still pending here.";
    COMMIT_PENDING = "NL-260" State "No commit is pending or staged when one is made or received.";
    NO_COMMIT = "NL-261" State "A commit is pending or staged when it is merged.";
    NOT_A_MEMBER = "NL-262" State "The device is a member of the group.";
    NO_CREDENTIAL = "NL-263" State "The device has a credential before it makes key packages or groups.";
    NO_SUCH_LEAF = "NL-264" State "A removed leaf exists and is not the device's own.";
    BAD_ARGUMENT = "NL-265" State "Keys, tags and lengths handed to the crate have their sizes.";
    LIBRARY = "NL-290" Fatal "OpenMLS reports no error of its own.";
    PANIC = "NL-291" Fatal "No code below the border panics.";
    DEAD_HANDLE = "NL-292" Fatal "A handle is not used after a fatal error.";
}

impl From<ProcessMessageError<StoreError>> for Check {
    fn from(error: ProcessMessageError<StoreError>) -> Self {
        match error {
            ProcessMessageError::ValidationError(error) => error.into(),
            ProcessMessageError::InvalidCommit(error) => error.into(),
            ProcessMessageError::LibraryError(_) | ProcessMessageError::StorageError(_) => LIBRARY,
            _ => INVALID_MESSAGE,
        }
    }
}

impl From<PublicProcessMessageError> for Check {
    fn from(error: PublicProcessMessageError) -> Self {
        match error {
            PublicProcessMessageError::ValidationError(error) => error.into(),
            PublicProcessMessageError::InvalidCommit(error) => error.into(),
            PublicProcessMessageError::LibraryError(_) => LIBRARY,
            _ => INVALID_COMMIT,
        }
    }
}

impl From<ValidationError> for Check {
    fn from(error: ValidationError) -> Self {
        use MessageDecryptionError::SecretTreeError as Ratchet;
        match error {
            ValidationError::UnableToDecrypt(Ratchet(error)) => ratchet_check(error),
            ValidationError::UnableToDecrypt(_) => INVALID_MESSAGE,
            ValidationError::KeyPackageVerifyError(KeyPackageVerifyError::LifetimeError(_)) => LEAF_LIFETIME_BY_CLOCK,
            ValidationError::LibraryError(_) => LIBRARY,
            _ => INVALID_COMMIT,
        }
    }
}

/// Why a ratchet has no key for a generation. OpenMLS keeps this error's type to itself, but for its name.
fn ratchet_check(error: impl std::fmt::Debug) -> Check {
    match format!("{error:?}").as_str() {
        "SecretReuseError" => ALREADY_READ,
        "TooDistantInThePast" => TOO_OLD,
        "TooDistantInTheFuture" => TOO_FAR_AHEAD,
        _ => INVALID_MESSAGE,
    }
}

impl From<StageCommitError> for Check {
    fn from(error: StageCommitError) -> Self {
        use LeafNodeValidationError::Lifetime;
        match error {
            StageCommitError::OwnCommitMismatch => CLEARED_COMMIT,
            StageCommitError::ProposalValidationError(ProposalValidationError::LeafNodeValidation(Lifetime(_)))
            | StageCommitError::LeafNodeValidation(Lifetime(_)) => LEAF_LIFETIME_BY_CLOCK,
            StageCommitError::LibraryError(_) => LIBRARY,
            _ => INVALID_COMMIT,
        }
    }
}

impl From<CreateCommitError> for Check {
    fn from(error: CreateCommitError) -> Self {
        match error {
            CreateCommitError::LibraryError(_) => LIBRARY,
            _ => INVALID_KEY_PACKAGE,
        }
    }
}

impl From<WelcomeError<StoreError>> for Check {
    fn from(error: WelcomeError<StoreError>) -> Self {
        match error {
            WelcomeError::NoMatchingKeyPackage => ORPHAN_WELCOME,
            WelcomeError::LibraryError(_) | WelcomeError::StorageError(_) => LIBRARY,
            _ => INVALID_WELCOME,
        }
    }
}

impl From<StoreError> for Check {
    fn from(_: StoreError) -> Self {
        NO_STATE
    }
}

/// `work` done, or the fatal check if it panicked: nothing unwinds into Python.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(Err(PANIC))
}

/// A panic says nothing by itself: its text may hold what it was working on.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}
