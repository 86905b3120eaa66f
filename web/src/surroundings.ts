/** What a browser must have: without it nothing could be kept secret or safe from two tabs at once. */

/** In words, what this browser lacks of what we need; usually nothing. */
export function missing(): string[] {
  const needs: [string, boolean][] = [
    ['a secure connection', isSecureContext],
    ['encryption', 'crypto' in globalThis && 'subtle' in crypto],
    ['storage', 'indexedDB' in globalThis],
    ['locks between tabs', 'locks' in navigator],
    ['background work', 'Worker' in globalThis],
  ];
  return needs.filter(([, present]) => !present).map(([need]) => need);
}
