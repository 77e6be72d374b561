import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from '../scripts/failure.ts'
import { FIRESTORE_MAIN_CLASS, findFirestoreEmulator } from '../scripts/stack/firestore-emulator.ts'
import { findJavaHome, MIN_JAVA_MAJOR } from '../scripts/stack/java.ts'
import { endWithUs } from './started.ts'

const startTimeoutMs = 60_000

/** Starts an empty Firestore emulator on a free port of the loopback address. */
export async function startFirestoreEmulator(): Promise<AsyncDisposable & { host: string }> {
  const javaHome = findJavaHome(process.env)
  if (javaHome === undefined)
    throw new Failure(`Java ${MIN_JAVA_MAJOR} or later is missing: npm start says how to get it`)
  const emulator = await findFirestoreEmulator(process.env)
  if (emulator.from === 'download')
    throw new Failure('The Firestore emulator is not downloaded yet: run "npx firebase setup:emulators:firestore"')
  const port = await freePort()
  const host = `127.0.0.1:${port}`
  const child = spawn(
    join(javaHome, 'bin', 'java'),
    // Room for the largest room of the benchmarks.
    ['-Xms1g', '-Xmx6g', '-cp', emulator.jar, FIRESTORE_MAIN_CLASS, '--host', '127.0.0.1', '--port', String(port)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  endWithUs(child)
  const written: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      written.push(text)
      if (written.length > 50) written.shift()
    })
  }
  const exited = once(child, 'exit')
  const late = Date.now() + startTimeoutMs
  while (!(await answers(host))) {
    if (child.exitCode !== null || Date.now() > late) {
      child.kill('SIGKILL')
      throw new Failure(`The Firestore emulator did not start:\n${written.join('')}`)
    }
    await delay(200)
  }
  return {
    host,
    async [Symbol.asyncDispose]() {
      // Its data is not needed, so it can be killed.
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function answers(host: string): Promise<boolean> {
  return fetch(`http://${host}/`).then(
    ({ ok }) => ok,
    () => false,
  )
}
