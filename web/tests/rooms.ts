/** A room in memory: messages in the order of its log, and what they come to, by the rules of `conversation.ts`. */

import * as content from '../src/content.ts';
import * as conversation from '../src/conversation.ts';
import { toHex } from '../src/hex.ts';
import type { MessageKey, TimestampMs, UserUri } from '../src/ids.ts';
import { checkOf } from './vectors.ts';

/** A message that stands in the room. */
export interface Heard {
  readonly messageId: MessageKey;
  readonly sender: UserUri;
  readonly acceptedAtMs: TimestampMs;
  readonly said: conversation.Said;
}

/** What stands in it, in order. */
export class Room implements conversation.Before {
  readonly #heard = new Map<MessageKey, Heard>();

  /** `message` comes next; the number of the check that it fails, if it fails one. */
  async hear(message: content.MimiContent, acceptedAtMs: TimestampMs): Promise<string | null> {
    const sender = content.senderOf(message);
    const messageId = toHex(await content.messageId(sender, content.roomOf(message), content.encode(message)));
    return checkOf(async () => {
      const said = await conversation.read(message, this);
      if (!this.#heard.has(messageId)) this.#heard.set(messageId, { messageId, sender, acceptedAtMs, said });
    });
  }

  find(messageId: MessageKey): Promise<conversation.Earlier | null> {
    const heard = this.#heard.get(messageId);
    return Promise.resolve(heard ? { sender: heard.sender, ...heard.said } : null);
  }

  reactions(target: MessageKey, sender: UserUri): Promise<number> {
    const theirs = Array.from(this.#heard.values()).filter((heard) => heard.sender === sender);
    return Promise.resolve(theirs.filter(({ said }) => said.kind === 'reaction' && said.target === target).length);
  }

  /** Each message, and what it shows in the end. */
  shown(): [Heard, conversation.Shown][] {
    const all = Array.from(this.#heard.values());
    return all
      .filter((heard) => heard.said.kind === 'message')
      .map((heard) => {
        const about = all.filter((each) => each.said.target === heard.messageId);
        return [heard, conversation.show(heard.said.words ?? { text: '', mentions: [] }, about)];
      });
  }
}
