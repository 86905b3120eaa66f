/**
 * What was said in each room, in the room's order, and what is shown of it.
 *
 * Every message has a row: also an edit, a deletion, a reaction, and what cannot be shown. Rows stay, so that a repeat is
 * known; the words in them go when they are edited away, deleted, or expire.
 */

import { type Attachment, TAG_BYTES } from '../attachment.ts';
import { type Before, type Change, endMs, lifetimeS, type Said, show } from '../conversation.ts';
import type { ProblemName } from '../errors.ts';
import { safeFilename } from '../filename.ts';
import type { RoomUri, TimestampMs, UserUri } from '../ids.ts';
import { pictureHead } from '../picture.ts';
import type { Words } from '../words.ts';
import { Rank } from './database.ts';
import type { AttachedFile, Message, MessageKey, MessageState } from './events.ts';
import type { MessageRecord, RoomRecord } from './records.ts';
import type { MessageAndChanges, Store } from './store.ts';
import { now } from './surroundings.ts';

/** A message at its place: whose it is, and how far it has come. */
export type Placed = Pick<MessageRecord, 'room' | 'messageId' | 'sender' | 'own' | 'state' | 'seq' | 'acceptedAtMs'>;

/** The longest side of a preview that is drawn. */
const MAX_PREVIEW_PIXELS = 640;
const NO_WORDS: Words = { text: '', mentions: [] };

/** Methods that write are called inside the store's `transaction`. */
export class Timeline {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  // --- what was said

  /** What stands in `room` now. */
  before(room: RoomUri): Before {
    return {
      find: async (messageId) => {
        const record = await this.#store.message(messageId);
        return record?.room === room && record.state !== 'failed' ? record : null;
      },
      reactions: async (target, sender) => {
        const changes = await this.#store.changes(target, Rank.goneReaction);
        return changes.filter((record) => record.kind === 'reaction' && record.sender === sender).length;
      },
    };
  }

  /** The message is stored; null when it was already. Its time runs from now if it is our own. */
  async add(placed: Placed, said: Said): Promise<MessageRecord | null> {
    if ((await this.#store.message(placed.messageId)) !== null) return null;
    const { kind, target, replyTo, forwarded, sets, unsets, attachments, expires } = said;
    const lifeS = expires && lifetimeS(expires);
    const end = this.#end(placed, said, lifeS);
    const isOver = end !== null && end <= now();
    const kept = kind !== 'nothing' && !isOver && (target === null || !(await this.#isGone(target)));
    const record: MessageRecord = {
      ...placed,
      problem: null,
      kind,
      target,
      words: kept ? (said.words ?? NO_WORDS) : null,
      replyTo,
      forwarded,
      sets: kept ? sets : [],
      unsets: kept ? unsets : [],
      attachments: kept ? attachments : [],
      lifetimeS: lifeS,
      expiresAtMs: null,
    };
    await this.#store.putMessage(record);
    if (kept && end !== null) await this.#endAt(record, end);
    if (placed.seq !== null) await this.#takeEffect(record, placed.seq);
    return record;
  }

  #end(placed: Placed, { expires }: Said, lifeS: number | null): TimestampMs | null {
    if (expires === null || placed.acceptedAtMs === null) return null;
    if (lifeS === null) return endMs(expires, placed.acceptedAtMs);
    return placed.own ? ((now() + lifeS * 1000) as TimestampMs) : null;
  }

  async #endAt(record: MessageRecord, expiresAtMs: TimestampMs): Promise<void> {
    await this.#store.putMessage({ ...record, expiresAtMs });
    this.#store.ends.put(record.messageId, expiresAtMs);
  }

  /** The hub took our queued message at `seq`; if it goes after a time, that runs from now. */
  async accept(queued: MessageRecord, seq: number, acceptedAtMs: TimestampMs): Promise<MessageRecord> {
    const record: MessageRecord = { ...queued, seq, acceptedAtMs, state: 'sent' };
    await this.#store.putMessage(record);
    if (record.lifetimeS !== null) await this.#endAt(record, (now() + record.lifetimeS * 1000) as TimestampMs);
    await this.#takeEffect(record, seq);
    return record;
  }

  /** The words that nobody will be shown again, whatever becomes of what is queued, are gone. */
  async #takeEffect({ kind, target }: MessageRecord, seq: number): Promise<void> {
    if (target === null || (kind !== 'edit' && kind !== 'deletion')) return;
    const message = await this.#store.message(target);
    if (message?.words) {
      const left = kind === 'edit' ? {} : { replyTo: null, attachments: [] };
      await this.#store.putMessage({ ...message, ...left, words: NO_WORDS });
    }
    for (const record of await this.#store.changes(target)) {
      const isPast = kind === 'edit' ? record.kind === 'edit' && (record.seq ?? Infinity) < seq : record.kind !== kind;
      if (isPast) await this.#forget(record);
    }
  }

  async #forget(record: MessageRecord): Promise<void> {
    await this.#store.putMessage({ ...record, words: null, sets: [], unsets: [], attachments: [], expiresAtMs: null });
  }

  /** Whether `target` has expired, or the log has its deletion: words about it are not kept. */
  async #isGone(target: MessageKey): Promise<boolean> {
    if ((await this.#store.message(target))?.words === null) return true;
    const changes = await this.#store.changes(target);
    return changes.some(({ kind, seq }) => kind === 'deletion' && seq !== null);
  }

  // --- how far it has come

  /** Our own message in `room` is in `state` if it was in an `earlier` one; whether that changed it. */
  async advance(
    room: RoomUri,
    messageId: MessageKey,
    state: MessageState,
    earlier: readonly MessageState[],
  ): Promise<boolean> {
    const record = await this.#store.message(messageId);
    if (record === null || !record.own || record.room !== room || !earlier.includes(record.state)) return false;
    await this.#store.putMessage({ ...record, state });
    return true;
  }

  /** Our queued message was refused for good. */
  async fail(messageId: MessageKey, problem: ProblemName): Promise<void> {
    const record = await this.#store.message(messageId);
    if (record !== null) await this.#store.putMessage({ ...record, state: 'failed', problem });
  }

  // --- what is shown

  /** The message as it is shown, if it is. */
  async message(messageId: MessageKey): Promise<Message | null> {
    const record = await this.#store.message(messageId);
    if (record?.kind !== 'message' || record.words === null) return null;
    return shown({ record, changes: await this.#store.changes(messageId) });
  }

  /** The newest `limit` messages that are shown, before one if given, oldest first; queued ones last. */
  async messages(room: RoomUri, limit: number, before: MessageKey | null = null): Promise<Message[]> {
    return (await this.#store.messages(room, limit, before)).map(shown);
  }

  /** What is attached to the message as it is shown, with what opens it. */
  async attachments(messageId: MessageKey): Promise<readonly Attachment[]> {
    const message = await this.message(messageId);
    return message === null || message.deleted ? [] : ((await this.#store.message(messageId))?.attachments ?? []);
  }

  /** The message and its edits, in order, as far as they are known here; what a report may show. */
  async versions(messageId: MessageKey): Promise<MessageKey[]> {
    const edits = (await this.#store.changes(messageId, Rank.gone)).filter(({ kind }) => kind === 'edit');
    return (await this.#store.message(messageId)) === null ? [] : [messageId, ...edits.map((edit) => edit.messageId)];
  }

  /** The newest message in which `user` has set `text` on `target`, standing or not. */
  async reactionOf(user: UserUri, target: MessageKey, text: string): Promise<MessageKey | null> {
    const theirs = (await this.#store.changes(target)).filter(
      (record) => record.sender === user && record.state !== 'failed' && record.sets.includes(text),
    );
    return theirs.at(-1)?.messageId ?? null;
  }

  // --- how long

  /** The messages were read: those that go a time after it go so long after now. */
  async beginLives(messageIds: readonly MessageKey[]): Promise<void> {
    for (const messageId of messageIds) {
      const record = await this.#store.message(messageId);
      if (!record?.words || record.lifetimeS === null || record.expiresAtMs !== null) continue;
      await this.#endAt(record, (now() + record.lifetimeS * 1000) as TimestampMs);
    }
  }

  /** When the next message goes. */
  nextEndMs(): number | null {
    const ends = this.#store.ends.values();
    return ends.length === 0 ? null : Math.min(...ends);
  }

  /** The words of messages whose time is over are gone, with those of what was said about them; which. */
  async expire(): Promise<{ room: RoomUri; messageId: MessageKey }[]> {
    const expired: { room: RoomUri; messageId: MessageKey }[] = [];
    for (const messageId of this.#store.ends.keys()) {
      if ((this.#store.ends.get(messageId) ?? Infinity) > now()) continue;
      this.#store.ends.delete(messageId);
      const message = await this.#store.message(messageId);
      if (message === null) continue;
      await this.#forget(message);
      for (const record of await this.#store.changes(messageId)) await this.#forget(record);
      const { room } = message;
      const record = this.#store.rooms.get(room);
      if (record !== null) this.#store.rooms.put(room, withoutUnread(record, messageId));
      expired.push({ room, messageId });
    }
    return expired;
  }
}

function withoutUnread(record: RoomRecord, messageId: MessageKey): RoomRecord {
  return { ...record, unread: record.unread.filter((unread) => unread !== messageId) };
}

/** The message as it is shown. */
function shown({ record, changes }: MessageAndChanges): Message {
  const { room, messageId, sender, state, own, acceptedAtMs, replyTo, forwarded, lifetimeS, expiresAtMs } = record;
  const { attachments } = record;
  const standing = changes
    .filter((change) => change.state !== 'failed')
    .map((change): Change => ({ sender: change.sender, said: { ...change, expires: null } }));
  const { words, edited, deleted, reactions } = show(record.words ?? NO_WORDS, standing);
  return {
    room,
    messageId,
    sender,
    text: words.text,
    state,
    own,
    acceptedAtMs,
    replyTo: deleted ? null : replyTo,
    mentions: words.mentions,
    reactions,
    edited,
    deleted,
    forwarded: deleted ? 0 : forwarded,
    attachments: deleted ? [] : attachments.map(attached),
    lifetimeS,
    expiresAtMs,
  };
}

/** What an application is told of an attachment: nothing that opens it. */
function attached({ filename, contentType, seal, description, preview }: Attachment): AttachedFile {
  const head = preview && pictureHead(preview.content);
  const isSmall = head !== null && Math.max(head.width, head.height) <= MAX_PREVIEW_PIXELS;
  return {
    filename: safeFilename(filename),
    contentType,
    size: seal.size - TAG_BYTES,
    description,
    preview: preview !== null && isSmall ? { contentType: head.contentType, content: preview.content } : null,
  };
}
