/**
 * Ciphersuite 1, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, over WebCrypto.
 *
 * The device's signature key stays in WebCrypto, where it need not be extractable: the library's field for it is empty.
 */

import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import type { CiphersuiteImpl, CiphersuiteName } from 'ts-mls/crypto/ciphersuite.js';
import { makeHashImpl } from 'ts-mls/crypto/implementation/default/makeHashImpl.js';
import { makeKdfImpl } from 'ts-mls/crypto/implementation/default/makeKdfImpl.js';
import { makeGenericHpke } from 'ts-mls/crypto/implementation/hpke.js';
import type { Aead } from 'ts-mls/crypto/aead.js';
import type { HpkeAlgorithm } from 'ts-mls/crypto/hpke.js';

import { type Bytes, copy } from '../codec.ts';
import { LocalProtocolError } from '../errors.ts';

export const SUITE_NAME = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519' satisfies CiphersuiteName;
/** What stands for the signature key wherever the library keeps its bytes. */
export const KEPT_ELSEWHERE: Bytes = new Uint8Array();

const HPKE: HpkeAlgorithm = { kem: 'DHKEM-X25519-HKDF-SHA256', kdf: 'HKDF-SHA256', aead: 'AES128GCM' };

const aead: Aead = {
  async encrypt(key, nonce, aad, plaintext) {
    return new Uint8Array(await crypto.subtle.encrypt(gcm(nonce, aad), await aesKey(key, 'encrypt'), copy(plaintext)));
  },
  async decrypt(key, nonce, aad, ciphertext) {
    return new Uint8Array(await crypto.subtle.decrypt(gcm(nonce, aad), await aesKey(key, 'decrypt'), copy(ciphertext)));
  },
};

function gcm(nonce: Uint8Array, aad: Uint8Array): AesGcmParams {
  return { name: 'AES-GCM', iv: copy(nonce), additionalData: copy(aad) };
}

function aesKey(key: Uint8Array, usage: KeyUsage): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', copy(key), 'AES-GCM', false, [usage]);
}

/** The suite, signing with `signatureKey`, an Ed25519 private key. */
export async function makeSuite(signatureKey: CryptoKey): Promise<CiphersuiteImpl> {
  const kem = new DhkemX25519HkdfSha256();
  return {
    name: SUITE_NAME,
    hash: makeHashImpl(crypto.subtle, 'SHA-256'),
    kdf: makeKdfImpl(new HkdfSha256()),
    hpke: await makeGenericHpke(HPKE, aead, new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes128Gcm() })),
    rng: { randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
    signature: {
      sign: async (_, message) => new Uint8Array(await crypto.subtle.sign('Ed25519', signatureKey, copy(message))),
      verify: async (publicKey, message, signature) => {
        const key = await crypto.subtle.importKey('raw', copy(publicKey), 'Ed25519', false, ['verify']);
        return crypto.subtle.verify('Ed25519', key, copy(signature), copy(message));
      },
      keygen: () => Promise.reject(new LocalProtocolError('signature keys are made elsewhere')),
    },
  };
}
