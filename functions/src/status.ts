import { forEachRoom, region, termsVersion, type Config, type Health } from '@koko/contract'
import * as z from 'zod'
import { paths, readDocument, Run } from './documents.ts'
import { republishLateMs } from './limits.ts'
import type { Store } from './ports.ts'

/** What a client needs to start from the origin alone. */
export function config(project: Pick<Config, 'projectId' | 'apiKey' | 'emulators'>): Config {
  return {
    projectId: project.projectId,
    apiKey: project.apiKey,
    region,
    rooms: forEachRoom((name, { title, profile, onlineWindowMs, budgets }) => {
      return { name, title, profile: z.toJSONSchema(profile), onlineWindowMs, budgets }
    }),
    termsVersion,
    ...(project.emulators === undefined ? {} : { emulators: project.emulators }),
  }
}

/** When discovery was last brought up to date, and whether that is too long ago. */
export async function health(store: Store, now: Date): Promise<Health> {
  const run = await readDocument(store, paths.republishRun, Run)
  const lastRepublishAtMs = run?.finishedAtMs ?? null
  return { lastRepublishAtMs, late: lastRepublishAtMs === null || now.getTime() - lastRepublishAtMs > republishLateMs }
}
