/**
 * Who may do what in a room: each user's role, and how a commit moves from one set of roles to the next.
 *
 * Hub and members apply the same rules to the same signed commits, so that they hold the same roles. Source:
 * draft-ietf-mimi-room-policy-03; what we take of it is in `docs/protocol.md`, Roles.
 */

import { type Bytes, concatAll, Reader, utf8, writeVector } from './codec.ts';
import { RemoteProtocolError, VerificationError } from './errors.ts';
import { type DeviceUri, parseUserUri, type UserUri, userOf } from './ids.ts';

/** What a user is in a room. Who is not named has none, and no leaf. `left`: a leaf is still to be removed. */
export const Role = { left: 0, banned: 1, member: 2, admin: 3, owner: 4 } as const;
export type RoleName = keyof typeof Role;
export type Role = (typeof Role)[RoleName];

/** What a role allows beyond what everyone may who takes part: write, add, leave, see to their own devices. */
export type Capability = 'canRemoveParticipant' | 'canBan' | 'canChangeUserRole' | 'canChangeRoomName';

const MAX_BANNED = 1_000;
const ADMIN: readonly Capability[] = ['canRemoveParticipant', 'canBan', 'canChangeRoomName'];
/** Whoever acts on somebody else must besides have a higher role than they. */
const CAPABILITIES: Readonly<Record<Role, readonly Capability[]>> = {
  [Role.left]: [],
  [Role.banned]: [],
  [Role.member]: [],
  [Role.admin]: ADMIN,
  [Role.owner]: [...ADMIN, 'canChangeUserRole'],
};

/** Participants in the order in which they came, those who left and still have a leaf, and those who are banned. */
export type Roles = ReadonlyMap<UserUri, Role>;

/**
 * What a commit of `committer` does. `present`: the devices with a leaf before it.
 *
 * `revoked`: those of them that their user's newest device list no longer names. `given`: the roles it names.
 */
export interface Step {
  readonly committer: UserUri;
  readonly present: ReadonlySet<DeviceUri>;
  readonly added: readonly DeviceUri[];
  readonly removed: readonly DeviceUri[];
  readonly revoked: ReadonlySet<DeviceUri>;
  readonly given: Roles;
}

/** `V(user URI) ‖ u8 role` for each. */
export function encodeRoles(roles: Roles): Bytes {
  return concatAll(Array.from(roles).flatMap(([user, role]) => [writeVector(utf8(user)), new Uint8Array([role])]));
}

/** The roles in `data`. Throws `RemoteProtocolError` NL-170, and as `parseUserUri`. */
export function decodeRoles(data: Uint8Array): Map<UserUri, Role> {
  const reader = new Reader(data);
  const roles = new Map<UserUri, Role>();
  while (!reader.atEnd) {
    const user = parseUserUri(reader.text());
    const number = reader.u8();
    const role = Object.values(Role).find((known) => known === number);
    if (roles.has(user) || role === undefined) {
      throw new RemoteProtocolError('NL-170', 'not a list of users with a role each');
    }
    roles.set(user, role);
  }
  return roles;
}

/** The name of `role`. */
export function roleName(role: Role): RoleName {
  return (Object.keys(Role) as RoleName[]).find((name) => Role[name] === role) ?? 'left';
}

/** Whether the role of `user` allows it. */
export function may(roles: Roles, user: UserUri, capability: Capability): boolean {
  return CAPABILITIES[roles.get(user) ?? Role.left].includes(capability);
}

/** Who is in the room, sorted. */
export function participants(roles: Roles): UserUri[] {
  return Array.from(roles.keys())
    .filter((user) => (roles.get(user) ?? Role.left) >= Role.member)
    .sort();
}

/** Whether somebody has left whose leaves are still to be removed. */
export function owed(roles: Roles): boolean {
  return Array.from(roles.values()).includes(Role.left);
}

/** Those of `devices` whose user has left. */
export function leavers(roles: Roles, devices: Iterable<DeviceUri>): DeviceUri[] {
  return Array.from(devices).filter((device) => roles.get(userOf(device)) === Role.left);
}

/**
 * The roles after `step`, which they allow.
 *
 * Throws `VerificationError`: NL-171 (who commits takes part), NL-172 (nobody banned or still leaving is added), NL-173
 * (whom they remove), NL-174 (a role given is one that they may give), NL-175 (a role is given to somebody whom it
 * fits), NL-176 (not too many are banned).
 */
export function follow(roles: Roles, step: Step): Map<UserUri, Role> {
  const mine = roles.get(step.committer) ?? Role.left;
  if (mine < Role.member) throw new VerificationError('NL-171', 'a commit by somebody who takes no part');
  checkAdded(roles, step);
  checkRemoved(roles, step, mine);
  const present = new Set(devicesAfter(step).map(userOf));
  const after = new Map(Array.from(roles).filter(([user, role]) => present.has(user) || role === Role.banned));
  for (const user of step.added.map(userOf)) {
    if ((roles.get(user) ?? Role.left) !== Role.left) continue;
    after.delete(user);
    after.set(user, Role.member);
  }
  for (const [user, role] of step.given) {
    checkGiven(roles, step, user, role, after.get(user), present.has(user));
    if (role === Role.left && !present.has(user)) after.delete(user);
    else after.set(user, role);
  }
  if (Array.from(after.values()).filter((role) => role === Role.banned).length > MAX_BANNED) {
    throw new VerificationError('NL-176', 'more are banned than a room remembers');
  }
  return withAnOwner(after);
}

/** The devices with a leaf after `step`. */
function devicesAfter({ present, added, removed }: Step): DeviceUri[] {
  return [...Array.from(present).filter((device) => !removed.includes(device)), ...added];
}

function checkAdded(roles: Roles, step: Step): void {
  const stay = new Set(
    devicesAfter(step)
      .filter((device) => !step.added.includes(device))
      .map(userOf),
  );
  for (const user of step.added.map(userOf)) {
    const role = roles.get(user);
    if (role === Role.banned || (role === Role.left && stay.has(user))) {
      throw new VerificationError('NL-172', 'somebody is added who is banned, or whose leaves are still to go');
    }
  }
}

function checkRemoved(roles: Roles, { committer, added, removed, revoked }: Step, mine: Role): void {
  for (const device of removed) {
    const user = userOf(device);
    const theirs = roles.get(user) ?? Role.left;
    const replaced = added.includes(device);
    const anyoneMay = replaced || user === committer || theirs === Role.left || revoked.has(device);
    if (!anyoneMay && !(CAPABILITIES[mine].includes('canRemoveParticipant') && theirs < mine)) {
      throw new VerificationError('NL-173', 'somebody is removed by a role that may not');
    }
  }
}

/** `after`: their role so far; `present`: they have a leaf after the commit. */
function checkGiven(
  roles: Roles,
  { committer }: Step,
  user: UserUri,
  role: Role,
  after: Role | undefined,
  present: boolean,
): void {
  const mine = roles.get(committer) ?? Role.left;
  const theirs = roles.get(user);
  let allowed = role < mine && role !== Role.banned;
  let fits = true;
  if (user !== committer && (role === Role.banned || theirs === Role.banned)) {
    allowed = CAPABILITIES[mine].includes('canBan') && (theirs ?? Role.left) < mine;
    fits = !present && (role === Role.banned || role === Role.left);
  } else if (user !== committer) {
    allowed = CAPABILITIES[mine].includes('canChangeUserRole') && (theirs ?? Role.member) < mine && role <= mine;
    fits = present && role >= Role.member && after !== undefined && after !== Role.left;
  }
  if (!allowed) throw new VerificationError('NL-174', 'a role is given by somebody who may not');
  if (!fits) throw new VerificationError('NL-175', 'a role is given to somebody whom it does not fit');
}

/** Where no owner is left, whoever has the highest role follows, and of those who came first. */
function withAnOwner(roles: Map<UserUri, Role>): Map<UserUri, Role> {
  const there = Array.from(roles).filter(([, role]) => role >= Role.member);
  const [first, ...others] = there;
  if (first !== undefined && !there.some(([, role]) => role === Role.owner)) {
    const [heir] = others.reduce((best, other) => (other[1] > best[1] ? other : best), first);
    roles.set(heir, Role.owner);
  }
  return roles;
}
