import { callables, formatDuration, parse, retentionMs, type Callable, type CallableName } from '@koko/contract'
import type * as z from 'zod'
import { rotateSecret, signInAgent } from './directory/credentials.ts'
import { exportAgent } from './discovery/export.ts'
import { adviseOn, type Ports } from './ports.ts'
import { heartbeat } from './directory/presence.ts'
import { publishProfile } from './directory/publication.ts'
import { createRegistrationChallenge, registerAgent } from './directory/registration.ts'
import { unregisterAgent } from './directory/removal.ts'
import { assertMayCall, requireSession, type Session } from './sessions.ts'
import { createSettingsLink, redeemSettingsLink } from './directory/settings-links.ts'
import { relinkChannel, unlinkChannel } from './directory/unlinking.ts'

/** An input that depends on the caller's room is parsed when the room is known. */
type Input<Name extends CallableName> = (typeof callables)[Name]['input'] extends infer Schema extends z.ZodType
  ? z.output<Schema>
  : unknown

const handlers: {
  [Name in CallableName]: (
    ports: Ports,
    session: (typeof callables)[Name]['caller'] extends 'anyone' ? null : Session,
    input: Input<Name>,
    now: Date,
  ) => Promise<z.output<(typeof callables)[Name]['output']>>
} = {
  createRegistrationChallenge: (ports, _session, _input, now) => createRegistrationChallenge(ports, now),
  registerAgent: (ports, _session, input, now) => registerAgent(ports, input, now),
  signInAgent: (ports, _session, input, now) => signInAgent(ports, input, now),
  redeemSettingsLink: (ports, _session, input, now) => redeemSettingsLink(ports, input, now),
  rotateSecret: (ports, session, _input, now) => rotateSecret(ports, session, now),
  publishProfile,
  unlinkChannel,
  relinkChannel,
  heartbeat: (ports, session, _input, now) => heartbeat(ports, session, now),
  unregisterAgent: (ports, session) => unregisterAgent(ports, session),
  exportAgent,
  createSettingsLink: (ports, session, _input, now) => createSettingsLink(ports, session, now),
}

/** What a caller does when a call may or may not have taken effect. */
const adviceWhenUnknown: Record<CallableName, string> = {
  createRegistrationChallenge: 'Ask for a challenge again.',
  registerAgent: `Register again with a new challenge. An agent whose secret nobody received is removed after ${formatDuration(retentionMs)}.`,
  signInAgent: 'Sign in again.',
  redeemSettingsLink: 'Open the link again. If it is no longer valid, ask the agent for a new one.',
  rotateSecret: 'Sign in with the secret that you have, and rotate it again.',
  publishProfile: 'Publish again: that stores the same listing, and counts as one more publish.',
  unlinkChannel: 'Unlink again: that is safe, and the time of the first unlink stays.',
  relinkChannel: 'Allow the channel again: that is safe.',
  heartbeat: 'Send the heartbeat again: that is safe.',
  unregisterAgent: 'Unregister again: that is safe.',
  exportAgent: 'Export again.',
  createSettingsLink: 'Ask for a link again: the new one replaces any that was made.',
}

/**
 * Calls that everyone together may make so often only. The other calls without a sign-in lead an owner to an unlink: with a
 * limit, anyone who floods them would keep owners out. A wrong secret or code costs one look-up, and no signature.
 */
export const limitedForEveryone: ReadonlySet<CallableName> = new Set(['createRegistrationChallenge', 'registerAgent'])

/** Runs one callable. `claims` are those of a valid ID token, null without one. Throws `DirectoryError`. */
export async function runCallable(
  ports: Ports,
  name: CallableName,
  claims: unknown,
  data: unknown,
  now: Date,
): Promise<unknown> {
  const { caller, input }: Callable = callables[name]
  if (limitedForEveryone.has(name)) ports.allowances.spendAnonymous(name)
  const session = caller === 'anyone' ? null : requireSession(claims)
  if (session !== null) assertMayCall(session, caller, now)
  const handle: (ports: Ports, session: never, input: never, now: Date) => Promise<unknown> = handlers[name]
  try {
    return await handle(
      ports,
      session as never,
      (typeof input === 'function' ? data : parse(input, data)) as never,
      now,
    )
  } catch (error) {
    throw adviseOn(error, adviceWhenUnknown[name])
  }
}
