import { expect, test } from '@jest/globals'
import { describeJob } from './schedule.ts'

test('the status of a job whose last run failed says what is known of the reason, and where to find more', () => {
  const job = {
    name: 'projects/demo-koko/locations/us-central1/jobs/firebase-schedule-republishDiscovery-us-central1',
    state: 'ENABLED' as const,
    schedule: 'every 1 minutes',
    timeZone: 'UTC',
    lastAttemptTime: '2026-11-21T12:00:00.000Z',
    status: { code: 13, message: 'INTERNAL' },
  }
  expect(describeJob(job).split('\n').slice(1)).toEqual([
    'last run at 2026-11-21T12:00:00.000Z: failed INTERNAL',
    'the log of republishDiscovery says why',
  ])
})
