/**
 * What has to do with a person's own devices and with account keys that change: loaded when somebody links or removes a
 * device, or a key is another than before.
 */

export { followAccount } from '../succession.ts';
export { DeviceLinks } from './device-links.ts';
export { meet, tell, tellOfRecovery } from './keys-told.ts';
export { OwnKeys } from './own-keys.ts';
export { followAccountKey } from './replacing.ts';
export { Tending } from './tending.ts';
