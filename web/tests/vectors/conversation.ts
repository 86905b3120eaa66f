/** What messages mean to each other, and what is shown of them. */

import { expect, it, test } from 'vitest';

import * as content from '../../src/content.ts';
import * as conversation from '../../src/conversation.ts';
import type { MessageKey, RoomUri, TimestampMs, UserUri } from '../../src/ids.ts';
import { fromMarkdown, toMarkdown } from '../../src/words.ts';
import { Room } from '../rooms.ts';
import { fromHex, readVector, type Runners } from '../vectors.ts';

interface File {
  markdown: { markdown: string; text: string; mentions: UserUri[] }[];
  texts: { text: string; users: UserUri[]; markdown: string | null }[];
  conversations: {
    name: string;
    room: RoomUri;
    log: { sender: UserUri; accepted_at_ms: TimestampMs; application_data: string; check: string | null }[];
    shown: ShownRow[];
  }[];
}

export interface ShownRow {
  message_id: MessageKey;
  sender: UserUri;
  text: string;
  mentions: UserUri[];
  reply_to: MessageKey | null;
  edited: boolean;
  deleted: boolean;
  reactions: { text: string; users: UserUri[] }[];
  forwarded: number;
  lifetime_s: number | null;
  end_ms: number | null;
}

const ADA = 'mimi://courier.example/u/ada' as UserUri;
const HARBOUR = 'mimi://courier.example/r/harbour' as RoomUri;

const { markdown, texts, conversations } = readVector<File>('conversation');
/** Rooms' logs, and what a receiver shows of them. */
export const CONVERSATIONS = conversations;

export const RUNNERS: Runners = {
  conversation: () => {
    test.each(markdown)('mentions are shown as whom they link to: $markdown', (row) => {
      expect(fromMarkdown(row.markdown)).toEqual({ text: row.text, mentions: row.mentions });
    });

    test.each(texts)('who is called by name is linked: $text', (row) => {
      expect(toMarkdown(row.text, row.users)).toBe(row.markdown);
    });

    test.each(conversations)('a log comes to what is shown: $name', async (row) => {
      const room = new Room();
      for (const entry of row.log) {
        const message = content.decode(fromHex(entry.application_data));
        expect(content.senderOf(message)).toBe(entry.sender);
        expect(await room.hear(message, entry.accepted_at_ms)).toBe(entry.check);
      }
      const shown = room.shown().map(([heard, shown]): ShownRow => {
        const { expires } = heard.said;
        return {
          message_id: heard.messageId,
          sender: heard.sender,
          text: shown.words.text,
          mentions: [...shown.words.mentions],
          reply_to: shown.deleted ? null : heard.said.replyTo,
          edited: shown.edited,
          deleted: shown.deleted,
          reactions: shown.reactions.map(({ text, users }) => ({ text, users: [...users] })),
          forwarded: shown.deleted ? 0 : heard.said.forwarded,
          lifetime_s: expires && conversation.lifetimeS(expires),
          end_ms: expires && conversation.endMs(expires, heard.acceptedAtMs),
        };
      });
      expect(shown).toEqual(row.shown);
    });

    it('takes so many reactions of one user to one message, and no more', async () => {
      const room = new Room();
      const hello = content.textMessage(fromHex('00'.repeat(16)), ADA, HARBOUR, 'hello');
      await room.hear(hello, 1 as TimestampMs);
      const to = await content.messageId(ADA, HARBOUR, content.encode(hello));
      const checks: (string | null)[] = [];
      for (let number = 0; number <= conversation.MAX_REACTION_MESSAGES; number += 1) {
        const salt = new Uint8Array(16).fill(number);
        checks.push(await room.hear(content.reaction(salt, ADA, HARBOUR, to, `r${String(number)}`), 2 as TimestampMs));
      }
      expect(checks.lastIndexOf(null)).toBe(conversation.MAX_REACTION_MESSAGES - 1);
      expect(checks.at(-1)).toBe('NL-132');
      expect(room.shown()[0]?.[1].reactions).toHaveLength(conversation.MAX_REACTIONS);
    });
  },
};
