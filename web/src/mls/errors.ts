/** What can go wrong with MLS, as one table: the numbers and rules of the crate (`rust/src/errors.rs`). */

const RULES = {
  'NL-200': 'The bytes are one whole MLSMessage of MLS 1.0.',
  'NL-201': 'The MLSMessage is of the wire format expected in this place.',
  'NL-202': 'The message is for this group.',
  'NL-203': 'The stored bytes hold a whole group.',
  'NL-204': 'The message is not of an epoch that the group has left.',
  'NL-205': 'The message is not of an epoch that the group has yet to reach.',
  'NL-206': 'The message is not of an epoch before this device joined.',
  'NL-207': "The message's generation has not been read yet.",
  'NL-208': 'The message is not one that this device sent itself.',
  'NL-209': 'The commit is not the one that made the present epoch.',
  'NL-210': 'The generation is at most 50 behind the newest one read.',
  'NL-211': 'The generation is at most 1000 ahead of the newest one read.',
  'NL-220': 'A PrivateMessage holds application data, never a handshake.',
  'NL-221': 'The sender is a member, not an external sender.',
  'NL-222': 'The sender is a member, not somebody who proposes themselves.',
  'NL-223': 'The sender is a member, not somebody who joins by an external commit.',
  'NL-224': 'A handshake is a commit, not a standalone proposal.',
  'NL-225': 'A commit holds its proposals inline, not by reference.',
  'NL-226': 'A commit holds no proposal but Add and Remove.',
  'NL-227': 'A commit has a path.',
  'NL-228': "A handshake's authenticated data is one zero byte, the empty SafeAAD.",
  'NL-229': 'Application data is in a PrivateMessage.',
  'NL-230': "The commit's signature, tags, path and proposals are valid in this group.",
  'NL-231': "The message decrypts, and its signature is its sender's.",
  'NL-232': "A message's authenticated data is a SafeAAD with one 32-byte item 0x0020 and nothing else.",
  'NL-233': "An added leaf is within its lifetime by this machine's clock.",
  'NL-234': "A leaf's credential is basic.",
  'NL-240': "A key package's signatures, suite, keys and capabilities are valid.",
  'NL-241': 'A key package is added within its lifetime.',
  'NL-242': "A key package's lifetime is at most 90 days, with 31 days of margin on both sides.",
  'NL-244': 'A group has suite 1 and exactly the GroupContext extensions of the protocol page.',
  'NL-245': 'A Welcome is for a key package that this device holds.',
  'NL-246': 'A Welcome decrypts to a valid group that this device is in.',
  'NL-260': 'No commit is pending or staged when one is made or received.',
  'NL-261': 'A commit is pending or staged when it is merged.',
  'NL-262': 'The device is a member of the group.',
  'NL-264': "A removed leaf exists and is not the device's own.",
} as const;

export type MlsCheck = keyof typeof RULES;

/** A rule of MLS, or of ours about MLS, does not hold. */
export class MlsError extends Error {
  override readonly name = 'MlsError';
  readonly check: MlsCheck;

  constructor(check: MlsCheck) {
    super(`${check}: ${RULES[check]}`);
    this.check = check;
  }
}

/** `condition` holds. Throws `MlsError`. */
export function must(condition: boolean, check: MlsCheck): asserts condition {
  if (!condition) throw new MlsError(check);
}

/** What `work` returns; whatever the library throws in it becomes `MlsError` with `check`. */
export async function guarded<Value>(check: MlsCheck, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof MlsError ? error : new MlsError(check);
  }
}
