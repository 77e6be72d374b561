import { callables, parse, type Callable, type CallableName } from '@koko/contract'
import type * as z from 'zod'
import { rotateSecret, signInAgent } from './directory/credentials.ts'
import { exportAgent } from './discovery/export.ts'
import type { Ports } from './ports.ts'
import { heartbeat } from './directory/presence.ts'
import { publishProfile } from './directory/publication.ts'
import { createRegistrationChallenge, registerAgent } from './directory/registration.ts'
import { unregisterAgent } from './directory/removal.ts'
import { assertMayCall, sessionOf, unauthenticated, type Session } from './sessions.ts'
import { createSettingsLink, redeemSettingsLink } from './directory/settings-links.ts'
import { relinkChannel, unlinkChannel } from './directory/unlinking.ts'

/** Where the caller's room decides what an input must be, it is parsed once the room is known. */
type Input<Name extends CallableName> = (typeof callables)[Name]['input'] extends infer Schema extends z.ZodType
  ? z.output<Schema>
  : unknown
type Output<Name extends CallableName> = z.output<(typeof callables)[Name]['output']>

const open: {
  [Name in CallableName as (typeof callables)[Name]['caller'] extends 'anyone' ? Name : never]: (
    ports: Ports,
    input: Input<Name>,
    now: Date,
  ) => Promise<Output<Name>>
} = {
  createRegistrationChallenge: (ports, _input, now) => createRegistrationChallenge(ports, now),
  registerAgent,
  signInAgent,
  redeemSettingsLink,
}

const owned: {
  [Name in Exclude<CallableName, keyof typeof open>]: (
    ports: Ports,
    session: Session,
    input: Input<Name>,
    now: Date,
  ) => Promise<Output<Name>>
} = {
  rotateSecret,
  publishProfile,
  unlinkChannel,
  relinkChannel,
  heartbeat: (ports, session, _input, now) => heartbeat(ports, session, now),
  unregisterAgent: (ports, session, _input, now) => unregisterAgent(ports, session, now),
  exportAgent,
  createSettingsLink: (ports, session, _input, now) => createSettingsLink(ports, session, now),
}

/** Runs one callable for the claims of a valid ID token, or undefined for none. Throws `DirectoryError`. */
export async function runCallable(
  ports: Ports,
  name: CallableName,
  claims: unknown,
  data: unknown,
  now: Date,
): Promise<unknown> {
  const { caller, input } = callables[name]
  if (isOpen(name)) {
    const run: (ports: Ports, input: never, now: Date) => Promise<unknown> = open[name]
    return run(ports, parsed(input, data), now)
  }
  const session = sessionOf(claims)
  if (session === null) throw unauthenticated()
  assertMayCall(session, caller, now)
  const run: (ports: Ports, session: Session, input: never, now: Date) => Promise<unknown> = owned[name]
  return run(ports, session, parsed(input, data), now)
}

function parsed(input: Callable['input'], data: unknown): never {
  return (typeof input === 'function' ? data : parse(input, data)) as never
}

function isOpen(name: CallableName): name is keyof typeof open {
  return Object.hasOwn(open, name)
}
