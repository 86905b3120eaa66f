/** The worker in which the leading tab's device lives: calls of `Api` in, answers and events out. */

import { Host } from './client/host.ts';
import type { AnswerMessage, CallMessage, EventsMessage, Outcome, ReadyMessage } from './remote.ts';
import { plain, WORKER_LOCK } from './remote.ts';

/** The name of this origin's store. */
const STORE = 'nightlight';

const host = new Host(STORE, location.origin, (events) => {
  post({ kind: 'events', events });
});

function post(message: AnswerMessage | EventsMessage | ReadyMessage): void {
  postMessage(message);
}

async function outcome({ method, args }: CallMessage): Promise<Outcome> {
  try {
    return { value: await host.call(method, args) };
  } catch (error) {
    return { error: plain(error) };
  }
}

addEventListener('message', ({ data }: MessageEvent<CallMessage>) => {
  void outcome(data).then((outcome) => {
    post({ kind: 'answer', to: data.from, id: data.id, outcome });
  });
});

// Held until this worker ends, however it ends: no other one touches the store before.
void navigator.locks.request(WORKER_LOCK, async () => {
  post({ kind: 'ready' });
  await host.start();
  return new Promise(() => undefined);
});
