import { expect, test } from 'vitest';

import type { ProviderName } from '../src/ids.ts';
import { appName, isThisMachine, localAddress, providerAt } from '../src/provider.ts';

const COURIER = 'courier.example' as ProviderName;
const RING = 'ring.example' as ProviderName;

test.each([
  ['courier.example', COURIER],
  ['ring.localhost', RING],
  ['courier.localhost', COURIER],
  ['localhost', null],
  ['127.0.0.1', null],
  ['gallery.localhost', null],
  ['courier', null],
  ['courier.localhost.example', null],
])('%s is the app %s', (hostname, provider) => {
  expect(providerAt(hostname, [COURIER, RING])).toBe(provider);
});

test('an app on this machine has an address there, and a name that people say', () => {
  expect(localAddress(RING, { protocol: 'http:', port: '8440' })).toBe('http://ring.localhost:8440/');
  expect(localAddress(RING, { protocol: 'https:', port: '' })).toBe('https://ring.localhost/');
  expect(appName(RING)).toBe('Ring');
  expect(['localhost', '127.0.0.1', 'ring.localhost', 'ring.example'].map(isThisMachine)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
