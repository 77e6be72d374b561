import { forEachRoom, region, termsVersion, type Config, type Health } from '@koko/contract'
import * as z from 'zod'
import { paths, readDocument, Run } from './documents.ts'
import { maxRecentErrors, recentErrorsMs, republishLateMs } from './limits.ts'
import type { Store } from './ports.ts'

export function config(project: Pick<Config, 'projectId' | 'apiKey' | 'emulators'>): Config {
  const rooms = forEachRoom((name, { title, profile, onlineWindowMs, budgets }) => {
    return { name, title, profile: z.toJSONSchema(profile), onlineWindowMs, budgets }
  })
  return { ...project, region, rooms, termsVersion }
}

/** The errors that an instance has lately answered with. */
export interface RecentErrors {
  add: () => void
  count: () => number
}

export function createRecentErrors(monotonicMs: () => number): RecentErrors {
  let times: number[] = []
  const recent = () => times.filter((timeMs) => monotonicMs() - timeMs < recentErrorsMs)
  return {
    add() {
      times = [...recent().slice(1 - maxRecentErrors), monotonicMs()]
    },
    count: () => recent().length,
  }
}

export async function health(
  store: Store,
  recentErrors: RecentErrors,
  now: Date,
): Promise<{ isHealthy: boolean; body: Health }> {
  const [run, damagedShards] = await Promise.all([
    readDocument(store, paths.republishRun, Run),
    store.count('damagedShards'),
  ])
  const lastRepublishAtMs = run?.finishedAtMs ?? null
  const late = lastRepublishAtMs === null || now.getTime() - lastRepublishAtMs > republishLateMs
  const body = { lastRepublishAtMs, late, damagedShards, recentErrors: recentErrors.count() }
  return { isHealthy: !late && damagedShards === 0 && body.recentErrors === 0, body }
}
