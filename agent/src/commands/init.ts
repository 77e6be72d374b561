import { RoomName, type Config } from '@koko/contract'
import * as z from 'zod'
import { UserError } from '../errors.ts'
import { defineCommand } from './define-command.ts'
import type { Context } from '../context.ts'
import { anyoneAt, codeOf, directoryOf } from '../directory/session.ts'
import { agentFile, type Agent } from '../home/files.ts'
import { forgetAgent } from '../operations/forget-agent.ts'
import { keepAgent, showRecoveryKey, type RecoveryKey } from '../operations/keep-agent.ts'
import { chooseOrigin, configAt, requireOrigin } from '../directory/origin.ts'
import { columns, isoTime, type Style } from '../output.ts'
import { askConsents, register, solve } from '../operations/register.ts'

const Options = z.strictObject({
  directory: z.string().optional(),
  room: RoomName.optional(),
  acceptTerms: z.boolean().default(false),
  acceptDisclaimer: z.boolean().default(false),
  adult: z.boolean().default(false),
  again: z.boolean().default(false),
})
type Options = z.output<typeof Options>

export type Initialised = Pick<Agent, 'origin' | 'isEmulated' | 'room' | 'registeredAtMs' | 'termsVersion'> &
  (({ alreadyRegistered: false } & RecoveryKey) | { alreadyRegistered: true; agentId: string; keptIn: string })

export const command = defineCommand({
  options: Options,
  run: init,
  show,
  isBad: (value) => value.keptIn === null,
})

/** Registers an agent, unless one lives here. */
export async function init(context: Context, options: Options): Promise<Initialised> {
  const { home } = context
  const former = await home.read(agentFile)
  if (former !== undefined) {
    if (!options.again) return already(context, former, options)
    await assertGone(context, former)
  }
  const origin = await chooseOrigin(context, options.directory, former?.origin)
  const config = await configAt(context, origin)
  if (config.emulators !== undefined) context.ask?.say(emulated(origin))
  const room = chooseRoom(origin, config, options.room)
  await home.assertWritable()
  await askConsents(context, origin, config, options)

  const { challenge } = await anyoneAt(context, origin).call('createRegistrationChallenge', {})
  const solution = await solve(context, challenge)
  return home.locked('listing', 30_000, async () => {
    const current = await home.read(agentFile)
    if (current !== undefined && current.agentId !== former?.agentId) return already(context, current, options)
    context.report({ text: 'Registering' })
    const agent = await register(context, { origin, config, room }, { challenge, solution })
    const key = await keepAgent(context, agent, forgetAgent)
    return { alreadyRegistered: false, ...summaryOf(agent), ...key }
  })
}

function summaryOf({ origin, isEmulated, room, registeredAtMs, termsVersion }: Agent) {
  return { origin, isEmulated, room, registeredAtMs, termsVersion }
}

/** A second run: nothing is registered, and consents that are due anew are asked where there is somebody to ask. */
async function already(context: Context, agent: Agent, options: Options): Promise<Initialised> {
  const { home } = context
  if (options.directory !== undefined && requireOrigin(options.directory) !== agent.origin) {
    throw new UserError(
      `The agent in ${home.path} is registered in ${agent.origin}.`,
      'For an agent in another directory set KOKO_HOME to another folder.',
    )
  }
  const termsVersion = await renewConsent(context, agent, options)
  return { alreadyRegistered: true, agentId: agent.agentId, keptIn: home.path, ...summaryOf(agent), termsVersion }
}

/** The version of the texts that is consented to, after asking for a newer one. */
async function renewConsent(context: Context, agent: Agent, options: Options): Promise<string | null> {
  if (agent.termsVersion === null) return null
  const config = await configAt(context, agent.origin).catch((error: unknown) => {
    // A directory that is down is no reason for a second run to fail.
    if (error instanceof UserError || codeOf(error) !== undefined) return undefined
    throw error
  })
  const isNew = config?.projectId === agent.projectId && config.termsVersion !== agent.termsVersion
  const canConsent = context.ask !== undefined || (options.acceptTerms && options.acceptDisclaimer && options.adult)
  if (config === undefined || !isNew || !canConsent) return agent.termsVersion
  await askConsents(context, agent.origin, config, options)
  const { termsVersion } = config
  await context.home.change(async (files) => {
    const current = await files.read(agentFile)
    if (current?.agentId === agent.agentId) await files.write(agentFile, { ...current, termsVersion })
  })
  return termsVersion
}

/** Registering anew gives the former credential up: only where it opens nothing any more. */
async function assertGone(context: Context, agent: Agent): Promise<void> {
  try {
    await directoryOf(context, agent).signIn()
  } catch (error) {
    if (codeOf(error) === 'unauthenticated') return
    throw error
  }
  throw new UserError(
    `The agent in ${context.home.path} is alive in ${agent.origin}.`,
    'Run `koko unregister` first, or set KOKO_HOME to another folder for a second agent.',
  )
}

function chooseRoom(origin: string, { rooms }: Config, wanted: RoomName | undefined): RoomName {
  const names = new Set(rooms.map(({ name }) => name))
  const room = wanted ?? rooms[0]?.name
  if (room !== undefined && names.has(room)) return room
  throw new UserError(`${origin} has no such room.`, `Its rooms: ${[...names].join(', ')}.`)
}

function emulated(origin: string): string {
  return `${origin} runs under emulators: fictional numbers only. What is published there is open to this whole machine, and to any page in its browser.`
}

function show(value: Initialised, style: Style): string {
  const { origin, isEmulated, room, registeredAtMs, keptIn } = value
  const facts = columns([
    ...(value.alreadyRegistered ? [['agent id', value.agentId] as const] : []),
    ['directory', `${origin}${isEmulated ? ' (under emulators: fictional numbers only)' : ''}`],
    ['room', room],
    ['registered', isoTime(registeredAtMs)],
  ])
  if (value.alreadyRegistered) {
    return [
      `${style.good('✓')} An agent lives in ${value.keptIn} already. Nothing was registered.`,
      facts,
      '',
      'Next: `koko status` shows how it stands. `koko unregister` removes it for good; where the directory has removed it,',
      '`koko init --again` registers anew. For a second agent set KOKO_HOME to another folder.',
    ].join('\n')
  }
  const stored =
    keptIn === null
      ? []
      : [
          '',
          'What was stored where:',
          `  here, in ${keptIn}: who the agent is, and its secret; for your user only`,
          '  in the directory: its id, its room, when it was registered, and a hash of the secret',
          'No profile and no handle was sent.',
          '',
          'Next: `koko profile edit`, `koko link <channel> <handle>`, `koko publish`.',
        ]
  return [
    keptIn === null ? style.bad('✗ Registered, and not kept.') : `${style.good('✓')} Registered.`,
    facts,
    showRecoveryKey(value, style),
    ...stored,
  ].join('\n')
}
