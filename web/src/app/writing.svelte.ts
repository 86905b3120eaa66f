/** What somebody is writing in a room: a text, what it answers or replaces, and the files that go with it. */

import type { Message } from '../client/events.ts';

/** What is begun and not sent. */
export interface Draft {
  readonly text: string;
  readonly replyTo: Message | null;
}

const NOTHING: Draft = { text: '', replyTo: null };

export class Writing {
  text = $state('');
  /** The message that is answered. */
  replyTo: Message | null = $state.raw(null);
  /** The own message that is to say `text` instead. */
  editing: Message | null = $state.raw(null);
  /** Chosen, and not sent. */
  files: readonly File[] = $state.raw([]);
  /** Called when the person should go on writing. */
  focus: () => void = () => undefined;
  /** What was begun before an edit. */
  #before: Draft = NOTHING;

  constructor(draft: Draft = NOTHING) {
    this.#write(draft);
  }

  get draft(): Draft {
    return this.editing === null ? { text: this.text, replyTo: this.replyTo } : this.#before;
  }

  get isEmpty(): boolean {
    return this.text.trim() === '' && this.files.length === 0;
  }

  reply(message: Message): void {
    this.cancel();
    this.replyTo = message;
    this.focus();
  }

  edit(message: Message): void {
    this.#before = this.draft;
    this.editing = message;
    this.text = message.text;
    this.replyTo = null;
    this.focus();
  }

  /** Nothing is answered or edited any more; what was begun before an edit is there again. Whether anything was. */
  cancel(): boolean {
    const any = this.replyTo !== null || this.editing !== null;
    if (this.editing !== null) this.#write({ ...this.#before, replyTo: null });
    else this.replyTo = null;
    return any;
  }

  attach(files: Iterable<File>): void {
    const more = Array.from(files);
    if (more.length === 0) return;
    if (this.editing !== null) this.cancel();
    this.files = [...this.files, ...more];
    this.focus();
  }

  detach(file: File): void {
    this.files = this.files.filter((each) => each !== file);
  }

  /** `text` is added to what is written. */
  append(text: string): void {
    this.text = this.text === '' ? text : `${this.text}\n${text}`;
  }

  /** Everything has been sent. */
  done(): void {
    this.files = [];
    this.#write(this.editing === null ? NOTHING : this.#before);
  }

  #write({ text, replyTo }: Draft): void {
    this.text = text;
    this.replyTo = replyTo;
    this.editing = null;
    this.#before = NOTHING;
  }
}
