import { forEachRoom, region, termsVersion, type Config, type Health } from '@koko/contract'
import * as z from 'zod'
import { paths, readDocument, Run } from './documents.ts'
import { republishLateMs } from './limits.ts'
import type { Store } from './ports.ts'

export function config(project: Pick<Config, 'projectId' | 'apiKey' | 'emulators'>): Config {
  const rooms = forEachRoom((name, { title, profile, onlineWindowMs, budgets }) => {
    return { name, title, profile: z.toJSONSchema(profile), onlineWindowMs, budgets }
  })
  return { ...project, region, rooms, termsVersion }
}

export async function health(store: Store, now: Date): Promise<Health> {
  const run = await readDocument(store, paths.republishRun, Run)
  const lastRepublishAtMs = run?.finishedAtMs ?? null
  return { lastRepublishAtMs, late: lastRepublishAtMs === null || now.getTime() - lastRepublishAtMs > republishLateMs }
}
