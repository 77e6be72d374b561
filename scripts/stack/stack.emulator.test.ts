import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { environment, ports, root } from './addresses.ts'
import { isTaken } from './ports.ts'
import { describeJob, runSchedule } from '../schedule.ts'
import { lockSchedule } from '../../testing/schedule.ts'

/** Starting a script alone takes a moment on a busy machine. */
const TIMEOUT_MS = 60_000
/** Another suite may have paused the schedule meanwhile. */
const LOCK_TIMEOUT_MS = 120_000

function script(name: string, ...given: string[]) {
  const child = spawn(process.execPath, [join(root, 'scripts', name), ...given], { stdio: ['ignore', 'pipe', 'pipe'] })
  return Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
    ([[status], stdout, stderr]: [unknown[], string, string]) => ({ status, stdout, stderr }),
  )
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2_000 })
    const answer = (accepted: boolean) => {
      socket.destroy()
      resolve(accepted)
    }
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
    socket.once('timeout', () => answer(false))
  })
}

describe('the local stack', () => {
  it.each(Object.entries(ports))('has %s listen on the loopback address only', async (_name, port) => {
    expect(await isTaken(port)).toBe(true)
    const others = Object.values(networkInterfaces()).flatMap((addresses) =>
      (addresses ?? []).filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => address),
    )
    for (const address of others) expect([address, await accepts(address, port)]).toEqual([address, false])
  })

  it(
    'refuses a second stack with one line, before it touches anything',
    async () => {
      const before = await readFile(join(root, 'functions', 'dist', 'index.js'), 'utf8')
      const { status, stdout, stderr } = await script('with-emulators.ts', 'echo never')
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr.trim().split('\n').at(-1)).toMatch(/^Ports 5000 \(Hosting\), .* are taken: /)
      expect(await readFile(join(root, 'functions', 'dist', 'index.js'), 'utf8')).toBe(before)
    },
    TIMEOUT_MS,
  )

  it('points every SDK of its command at itself', () => {
    expect(process.env).toMatchObject({
      GCLOUD_PROJECT: 'demo-koko',
      FIRESTORE_EMULATOR_HOST: '127.0.0.1:8080',
      FIREBASE_AUTH_EMULATOR_HOST: '127.0.0.1:9099',
      FIREBASE_EMULATOR_HUB: '127.0.0.1:4400',
      KOKO_ORIGIN: 'http://127.0.0.1:5000',
    })
  })

  it('keeps a log of what the functions print', async () => {
    const log = await readFile(process.env.KOKO_STACK_LOG ?? '', 'utf8')
    expect(log).toContain('Finished "us-central1-republishDiscovery"')
  })

  it('serves the pages and the API from one origin, and caches nothing of the API', async () => {
    const page = await fetch(`${environment.KOKO_ORIGIN}/`)
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    const health = await fetch(`${environment.KOKO_ORIGIN}/api/v1/health`)
    expect([health.status, health.headers.get('cache-control')]).toEqual([200, 'private, no-store'])
    const unknown = await fetch(`${environment.KOKO_ORIGIN}/api/v0/health`)
    expect(unknown.status).toBe(404)
    expect(unknown.headers.get('cache-control')).toMatch(/no-store/)
  })
})

describe('the local schedule', () => {
  let lock: AsyncDisposable
  beforeAll(async () => {
    lock = await lockSchedule()
  }, LOCK_TIMEOUT_MS)
  afterAll(async () => {
    await runSchedule('resume', undefined)
    await lock[Symbol.asyncDispose]()
  })

  it('is paused and resumed, once or twice', async () => {
    for (const [action, state] of [
      ['pause', 'PAUSED'],
      ['pause', 'PAUSED'],
      ['status', 'PAUSED'],
      ['resume', 'ENABLED'],
      ['resume', 'ENABLED'],
    ] as const) {
      expect(await runSchedule(action, undefined)).toMatchObject({ state })
    }
  })

  it('runs on request, and reports that run', async () => {
    const asked = Date.now()
    const job = await runSchedule('run', undefined)
    expect(job.status).toMatchObject({ code: 0 })
    expect(Date.parse(job.lastAttemptTime ?? '')).toBeGreaterThanOrEqual(asked)
    expect(describeJob(job)).toMatch(/^firebase-schedule-republishDiscovery-us-central1 {2}enabled/)
  })

  it('refuses requests of a web page', async () => {
    const job = `${process.env.KOKO_SCHEDULER_ORIGIN ?? ''}/v1/projects/demo-koko/locations/us-central1/jobs/firebase-schedule-republishDiscovery-us-central1`
    expect((await fetch(job)).status).toBe(200)
    expect((await fetch(`${job}:pause`, { method: 'POST', headers: { Origin: 'https://page.example' } })).status).toBe(
      404,
    )
    expect(await runSchedule('status', undefined)).toMatchObject({ state: 'ENABLED' })
  })
})
