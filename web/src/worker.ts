/** The worker in which the leading tab's device lives: calls of `Api` in, answers and events out. */

import type { Api } from './client/api.ts';
import { Client } from './client/client.ts';
import type { AnswerMessage, CallMessage, EventsMessage, Outcome } from './remote.ts';
import { plain } from './remote.ts';

/** The name of this origin's store. */
const STORE = 'nightlight';

const client: Promise<Api> = Client.open(STORE, location.origin, (events) => {
  post({ kind: 'events', events });
});

function post(message: AnswerMessage | EventsMessage): void {
  postMessage(message);
}

async function outcome({ method, args }: CallMessage): Promise<Outcome> {
  try {
    const api = (await client) as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
    return { value: await api[method]?.(...args) };
  } catch (error) {
    return { error: plain(error) };
  }
}

addEventListener('message', ({ data }: MessageEvent<CallMessage>) => {
  void outcome(data).then((outcome) => {
    post({ kind: 'answer', to: data.from, id: data.id, outcome });
  });
});
