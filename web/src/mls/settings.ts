/** The one way in which groups are set up: `docs/protocol.md`, "Group state". */

import type { Capabilities } from 'ts-mls/capabilities.js';
import { type ClientConfig, defaultClientConfig } from 'ts-mls/clientConfig.js';
import { encodeExtension, type Extension } from 'ts-mls/extension.js';
import type { GroupContext } from 'ts-mls/groupContext.js';
import { encodeRequiredCapabilities } from 'ts-mls/requiredCapabilities.js';

import { type Bytes, concat, equal, Reader, u16, writeVector } from '../codec.ts';
import { RemoteProtocolError } from '../errors.ts';
import { ciphertextLength } from '../padding.ts';
import { must, MlsError } from './errors.ts';
import { SUITE_NAME } from './suite.ts';

/** How many generations back a message may still be read, and how many forward. */
export const OUT_OF_ORDER = 50;
export const FORWARD = 1000;

/** What AES-GCM adds to a plaintext. */
const TAG_BYTES = 16;

const APP_DATA_DICTIONARY = 0x0006;
const LAST_RESORT = 0x000a;
/** The component that lists which others may stand in a SafeAAD. */
const SAFE_AAD = 0x0002;
/** The component whose SafeAAD item is a message's franking tag. */
const FRANKING_TAG = 0x0020;
/** The component that names the hub and its franking key. */
const FRANKING_AGENT = 0x0021;

/** What every leaf can do. `last_resort` is for key packages alone. */
export const CAPABILITIES: Capabilities = {
  versions: ['mls10'],
  ciphersuites: [SUITE_NAME],
  extensions: [APP_DATA_DICTIONARY, LAST_RESORT],
  proposals: [],
  credentials: ['basic'],
};

/** In a key package, not in its leaf. */
export const LAST_RESORT_EXTENSION: Extension = { extensionType: LAST_RESORT, extensionData: new Uint8Array() };

/** How a member reads and writes; `content` is how many bytes the message has that is written. */
export function config(content = 0): ClientConfig {
  return {
    ...defaultClientConfig,
    keyRetentionConfig: {
      retainKeysForGenerations: OUT_OF_ORDER,
      retainKeysForEpochs: 0,
      maximumForwardRatchetSteps: FORWARD,
    },
    paddingConfig: { kind: 'padUntilLength', padUntilLength: ciphertextLength(content) - TAG_BYTES },
  };
}

/** Exactly the GroupContext extensions of a group with this franking agent, encoded as in component 0x0021. */
export function groupContextExtensions(frankingAgent: Bytes): Extension[] {
  const required = { extensionTypes: [APP_DATA_DICTIONARY], proposalTypes: [], credentialTypes: ['basic' as const] };
  const dictionary = concat(
    component(SAFE_AAD, writeVector(u16(FRANKING_TAG))),
    component(FRANKING_AGENT, frankingAgent),
  );
  return [
    { extensionType: 'required_capabilities', extensionData: encodeRequiredCapabilities(required) },
    { extensionType: APP_DATA_DICTIONARY, extensionData: writeVector(dictionary) },
  ];
}

function component(id: number, data: Bytes): Bytes {
  return concat(u16(id), writeVector(data));
}

/** The encoded franking agent of a group, which has exactly our settings. Throws `MlsError` NL-244. */
export function checkSettings(context: GroupContext): Bytes {
  const agent = frankingAgent(context);
  const ours = concat(...groupContextExtensions(agent).map(encodeExtension));
  const theirs = concat(...context.extensions.map(encodeExtension));
  must(context.cipherSuite === SUITE_NAME && equal(ours, theirs), 'NL-244');
  return agent;
}

/** The bytes of component 0x0021. Throws `MlsError` NL-244. */
export function frankingAgent(context: GroupContext): Bytes {
  const extension = context.extensions.find(({ extensionType }) => extensionType === APP_DATA_DICTIONARY);
  must(extension !== undefined, 'NL-244');
  try {
    const components = new Reader(new Reader(extension.extensionData).vector());
    while (!components.atEnd) {
      const id = components.u16();
      const data = components.vector();
      if (id === FRANKING_AGENT) return data;
    }
  } catch (error) {
    if (!(error instanceof RemoteProtocolError)) throw error;
  }
  throw new MlsError('NL-244');
}
