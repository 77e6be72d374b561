import { secondMs } from '@koko/contract'
import { pendingUnlinks } from '../directory/outbox.ts'
import { agentFile, handlesFile, outboxFile, publishedFile } from '../home/files.ts'
import type { Home } from '../home/home.ts'
import { readIfWhole } from '../home/read-if-whole.ts'
import { readProfile, roomOf } from './profile.ts'
import { knownHere, planPublish } from './publish.ts'

/** The daemon looks for changes this often. */
export const daemonTickMs = 30 * secondMs

/** When what is kept here is published. */
export type PublishOutlook =
  | { state: 'by the daemon'; pid: number; withinMs: number }
  /** `by you`: the operator has not agreed to publish it yet. */
  | { state: 'unchanged' | 'when the daemon runs' | 'by you' }

/** Whether the daemon publishes what is kept here: it does what the operator agreed to, and nothing else. */
export async function publishOutlook(home: Home): Promise<PublishOutlook> {
  const own = await readProfile(home, await roomOf(home))
  const handles = (await readIfWhole(home, handlesFile)) ?? {}
  const published = await readIfWhole(home, publishedFile)
  if (own === undefined) return { state: 'by you' }
  const agent = await home.read(agentFile)
  const known = knownHere(published, pendingUnlinks(await readIfWhole(home, outboxFile), published, agent?.agentId))
  const { input, removes, isUnchanged } = planPublish({ profile: own.profile, handles }, known, {})
  if (isUnchanged && published?.listing !== null) return { state: 'unchanged' }
  if (input === null || removes.length > 0) return { state: 'by you' }
  const pid = await home.lockedBy('daemon').catch(() => undefined)
  if (pid === undefined) return { state: 'when the daemon runs' }
  return { state: 'by the daemon', pid, withinMs: daemonTickMs }
}
