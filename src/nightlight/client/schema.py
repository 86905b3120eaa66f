"""The tables of the local store, and how older stores become newer ones."""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    -- The device itself: its identity and the key of the sealed copies.
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

    -- MLS state, as the crate hands it over. Keys of one group share a prefix.
    CREATE TABLE mls (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

    CREATE TABLE rooms (
        room TEXT PRIMARY KEY,
        standing TEXT NOT NULL,             -- records.Standing
        cursor INTEGER NOT NULL,            -- the log is processed up to here
        epoch INTEGER NOT NULL,             -- of the MLS group
        franking_key BLOB NOT NULL,         -- the hub's, pinned when the room was joined
        members TEXT NOT NULL,              -- user URIs, sorted, as JSON
        read_seq INTEGER NOT NULL,          -- read by this person up to here
        accepted_at_ms INTEGER NOT NULL     -- of the newest message processed
    ) WITHOUT ROWID;

    CREATE TABLE messages (
        position INTEGER PRIMARY KEY,
        message_id BLOB NOT NULL UNIQUE,
        room TEXT NOT NULL,
        seq INTEGER NOT NULL,               -- place in the log; 2^62 while queued
        sender TEXT NOT NULL,
        own INTEGER NOT NULL,
        body TEXT,                          -- NULL when there is nothing in it that we can show
        state TEXT NOT NULL,                -- events.MessageState
        accepted_at_ms INTEGER,             -- NULL while queued
        problem TEXT                        -- errors.ProblemName, of a failed one alone
    );
    CREATE INDEX messages_in_order ON messages (room, seq, position);

    -- What a report needs: the exact content, sealed under a key of its own, with the hub's frank.
    CREATE TABLE evidence (
        message_id BLOB PRIMARY KEY,
        room TEXT NOT NULL,
        accepted_at_ms INTEGER NOT NULL,
        frank BLOB NOT NULL,
        nonce BLOB NOT NULL,
        sealed BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX evidence_by_age ON evidence (accepted_at_ms);

    -- In the order in which each room's items go out.
    CREATE TABLE outbox (
        position INTEGER PRIMARY KEY,
        submission_id BLOB NOT NULL UNIQUE,
        room TEXT NOT NULL,
        kind TEXT NOT NULL,                 -- records.ItemKind
        content BLOB NOT NULL,              -- application data, or the intent of a commit
        message_id BLOB,                    -- of a message alone
        epoch INTEGER,                      -- what payload is built for; NULL when it is not built
        payload BLOB,
        welcome BLOB
    );
    CREATE INDEX outbox_in_order ON outbox (room, position);

    -- What we have to tell the senders.
    CREATE TABLE receipts (
        room TEXT NOT NULL,
        message_id BLOB NOT NULL,
        status INTEGER NOT NULL,            -- content.MessageStatus
        PRIMARY KEY (room, message_id)
    ) WITHOUT ROWID;

    -- The newest device list known of each person, verified, with the account key it is under.
    CREATE TABLE pins (user TEXT PRIMARY KEY, device_list BLOB NOT NULL) WITHOUT ROWID;

    -- References of the key packages whose private parts are in mls.
    CREATE TABLE key_packages (reference BLOB PRIMARY KEY, not_after_s INTEGER NOT NULL) WITHOUT ROWID;

    CREATE TABLE contacts (user TEXT PRIMARY KEY, state TEXT NOT NULL, since_ms INTEGER NOT NULL) WITHOUT ROWID;

    CREATE TABLE faults (
        position INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        room TEXT,
        check_number TEXT NOT NULL,
        culprit TEXT NOT NULL               -- device or user URI, or "hub"
    );
    """,
    """
    -- A message may be about another: an edit, a deletion, a reaction. All of them have rows; none is shown by itself.
    ALTER TABLE messages ADD COLUMN kind TEXT NOT NULL DEFAULT 'message';   -- conversation.Kind
    ALTER TABLE messages ADD COLUMN target BLOB;            -- the message it is about, as first sent
    ALTER TABLE messages ADD COLUMN details BLOB;           -- what it says beside its text; NULL when that is gone
    ALTER TABLE messages ADD COLUMN lifetime_s INTEGER;     -- how long it stays once it is read
    ALTER TABLE messages ADD COLUMN expires_at_ms INTEGER;  -- when it goes; NULL when that is not known, or it has gone

    DROP INDEX messages_in_order;
    CREATE INDEX messages_shown ON messages (room, seq, position) WHERE kind = 'message' AND body IS NOT NULL;
    CREATE INDEX messages_about ON messages (target, seq, position) WHERE target IS NOT NULL;
    CREATE INDEX messages_by_end ON messages (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

    CREATE VIEW shown AS
        SELECT message_id, room, sender, own, body, details, state, accepted_at_ms, lifetime_s, expires_at_ms,
            seq, position
        FROM messages WHERE kind = 'message' AND body IS NOT NULL;
    CREATE VIEW changes AS
        SELECT target, sender, kind, body, details, message_id, seq, position
        FROM messages WHERE target IS NOT NULL AND body IS NOT NULL AND state <> 'failed';

    ALTER TABLE rooms ADD COLUMN lifetime_s INTEGER;        -- of what this device sends there; NULL for ever
    """,
    """
    ALTER TABLE rooms ADD COLUMN roles BLOB NOT NULL DEFAULT x'';   -- as protocol.roles encodes them
    """,
    """
    -- Files on their way to the hub, before they are messages; in the order in which they go.
    CREATE TABLE uploads (
        position INTEGER PRIMARY KEY,
        upload_id TEXT NOT NULL UNIQUE,
        upload BLOB NOT NULL                -- records.Upload
    );
    """,
    """
    -- Each room's name and picture.
    CREATE TABLE profiles (
        room TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        picture_type TEXT,                  -- media type; NULL without a picture
        picture BLOB
    ) WITHOUT ROWID;

    -- Who let this device into a room, and tells it the profile; until it has heard one.
    CREATE TABLE greeters (room TEXT PRIMARY KEY, user TEXT NOT NULL) WITHOUT ROWID;

    -- Rooms with newcomers whom this device has let in, and has to tell the profile.
    CREATE TABLE greetings (room TEXT PRIMARY KEY) WITHOUT ROWID;
    """,
    """
    -- What a person has to be told about keys and devices.
    CREATE TABLE notices (
        position INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,                 -- events.NoticeKind
        user TEXT NOT NULL,                 -- whose keys or devices
        about TEXT NOT NULL,                -- which device, or which key in hexadecimal
        at_ms INTEGER NOT NULL,
        until_ms INTEGER,                   -- when a wait is over
        seen INTEGER NOT NULL DEFAULT 0
    );

    -- Whose safety number was compared, under which account key of theirs.
    CREATE TABLE compared (user TEXT PRIMARY KEY, account_key BLOB NOT NULL) WITHOUT ROWID;

    -- Users who have an account key now that does not follow the one we knew.
    CREATE TABLE strangers (user TEXT PRIMARY KEY, devices BLOB NOT NULL) WITHOUT ROWID;
    """,
    """
    -- Where a room stopped here: the entry that could not be used, and what the server was told last.
    CREATE TABLE lost (
        room TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,
        digest BLOB,                        -- SHA-256 of the entry's payload; NULL for a welcome, or if nothing came
        told_seq INTEGER,
        told_at_ms INTEGER
    ) WITHOUT ROWID;
    """,
)
