/** Other people's text, so that it cannot pose as something else; it is text in the page, never markup. */

import type { Message } from '../client/events.ts';
import type { UserUri } from '../ids.ts';
import { WRITTEN, written } from '../words.ts';
import { say, type Words } from './words.ts';

const MAX_SHOWN = 2_000;
const MAX_LINES = 24;
const PREVIEW = 120;
/** Controls, and what turns the order of letters around by force; isolates and marks, which Arabic needs, stay. */
// eslint-disable-next-line no-control-regex -- that is what is looked for
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\ufff9-\ufffb]/gu;
const UNSEEN = /[\s\u2800\p{Default_Ignorable_Code_Point}]/gu;

/** `text` with every character that could reorder or hide a line shown as its number instead. */
export function neutralised(text: string): string {
  return text
    .toWellFormed()
    .replaceAll('\r\n', '\n')
    .replace(STEERING, (letter) => `⟨U+${letter.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`);
}

/** Whether nothing of `text` can be seen. */
export function isInvisible(text: string): boolean {
  return text.replace(UNSEEN, '') === '';
}

/** The beginning of a text that is too long to be shown at once; the text itself otherwise. */
export function clipped(text: string): string {
  const lines = text.split('\n', MAX_LINES + 1);
  const few = lines.length > MAX_LINES ? lines.slice(0, MAX_LINES).join('\n') : text;
  return beginning(few, MAX_SHOWN);
}

/** A piece of a text, and whom it mentions; null: nobody. */
export interface Piece {
  readonly text: string;
  readonly mention: UserUri | null;
}

/** `text` in pieces: each place where it calls one of `mentions`, and what stands between. */
export function pieces(text: string, mentions: readonly UserUri[]): Piece[] {
  const called = new Map(mentions.map((user) => [written(user), user]));
  const found: Piece[] = [];
  let done = 0;
  for (const { index, 0: name } of called.size === 0 ? [] : text.matchAll(WRITTEN)) {
    const mention = called.get(name);
    if (mention === undefined) continue;
    if (index > done) found.push({ text: text.slice(done, index), mention: null });
    found.push({ text: name, mention });
    done = index + name.length;
  }
  return done < text.length ? [...found, { text: text.slice(done), mention: null }] : found;
}

/** What follows the "@" before `caret` that begins to call somebody; null where nobody is being called. */
export function calledIn(text: string, caret: number): string | null {
  return /(?:^|[^a-z0-9._@-])@([a-z0-9._@-]{0,64})$/u.exec(text.slice(0, Math.max(0, caret)))?.[1] ?? null;
}

/** What a file is, in a word. */
export function kindOf(contentType: string): Words {
  if (contentType.startsWith('image/')) return 'file.picture';
  if (contentType.startsWith('video/')) return 'file.video';
  return contentType.startsWith('audio/') ? 'file.audio' : 'file.file';
}

/** The first line of what a message says, for a list. */
export function preview({ text, deleted, attachments }: Pick<Message, 'text' | 'deleted' | 'attachments'>): string {
  if (deleted) return say('message.deleted');
  const [file, ...more] = attachments;
  if (file !== undefined) {
    const kind = more.length === 0 ? say(kindOf(file.contentType)) : say('file.several', { count: attachments.length });
    return isInvisible(text) ? kind : `${kind}: ${firstLine(text)}`;
  }
  return isInvisible(text) ? say('message.invisible') : firstLine(text);
}

/** The first line, for a list. */
export function firstLine(text: string): string {
  const line = text.trimStart().split('\n', 1)[0] ?? '';
  return neutralised(beginning(line, PREVIEW));
}

/** At most `length` units, ending between two letters as people see them. */
function beginning(text: string, length: number): string {
  if (text.length <= length) return text;
  const slack = 64;
  const head = text.slice(0, length + slack);
  let end = 0;
  for (const { index, segment } of new Intl.Segmenter().segment(head)) {
    if (index + segment.length > length) break;
    end = index + segment.length;
  }
  return head.slice(0, end === 0 ? length : end);
}
