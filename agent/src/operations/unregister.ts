import type { Context } from '../context.ts'
import { codeOf, openDirectory } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import { agentFile, handlesFile, profileFile, type Agent } from '../home/files.ts'
import { lockedIfPossible } from '../home/locked-if-possible.ts'
import { isThere } from '../home/read-if-whole.ts'
import { confirm, confirmTyped } from './confirm.ts'
import { filesOfAgent, forgetAgent } from './keep-agent.ts'

export interface Unregistered {
  agentId: string
  origin: string
  /** The directory had removed the agent before, or its secret was replaced elsewhere: nothing was sent now. */
  wasGone: boolean
  /** Files of this home. */
  removed: string[]
  kept: string[]
}

/** Permanently removes the agent from the directory, and its files from this home if its disk can be written. */
export async function unregister(context: Context, { yes }: { yes: boolean }): Promise<Unregistered> {
  const { home } = context
  const { agent } = await openDirectory(context)
  await confirmTyped(context, {
    yes,
    word: 'delete',
    message: `This permanently removes the agent from ${agent.origin}, with its listing and its unlinks.`,
  })
  const isDeleted = await lockedIfPossible(context, async () => {
    await assertSame(context, agent)
    const { client } = await openDirectory(context)
    context.report({ text: 'Unregistering' })
    try {
      await client.call('unregisterAgent', {})
    } catch (error) {
      if (codeOf(error) === 'unauthenticated') return false
      throw error
    }
    await forget(context, `The agent is gone from ${agent.origin}`)
    return true
  })
  if (!isDeleted) {
    await confirm(context, {
      yes,
      message:
        'The directory does not accept this agent. It was removed, or its secret was replaced elsewhere and it still exists. Remove its files here?',
    })
    await lockedIfPossible(context, async () => {
      await assertSame(context, agent)
      await forget(context, `${agent.origin} does not accept the agent`)
    })
  }
  const kept = [profileFile, handlesFile].map(async (file) => ((await isThere<object>(home, file)) ? [file.name] : []))
  return {
    agentId: agent.agentId,
    origin: agent.origin,
    wasGone: !isDeleted,
    removed: filesOfAgent.map(({ name }) => name),
    kept: (await Promise.all(kept)).flat(),
  }
}

/** The operator agreed for this agent only. */
async function assertSame({ home }: Context, { agentId }: Agent): Promise<void> {
  if ((await home.read(agentFile))?.agentId === agentId) return
  throw new UserError(
    'Another agent was set up here in the meantime, or this one was removed.',
    'Check with `koko status`.',
  )
}

/** `outcome` says what happened to the agent in the directory. */
async function forget({ home }: Context, outcome: string): Promise<void> {
  try {
    await home.change(forgetAgent)
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause
    throw new UserError(
      `${outcome}, but its files are still here: ${cause.message}`,
      `${cause.hint} Then run \`koko unregister\` again.`,
      { cause },
    )
  }
}
