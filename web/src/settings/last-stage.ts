import type { Ending } from './failure.ts'

/** What the page shows once a session has ended. */
export type LastStage =
  | { name: 'over'; why: Ending | 'signedOut' }
  | { name: 'gone'; left: { path: string; found: boolean | null }[]; outOfAnswersAtMs: number }
