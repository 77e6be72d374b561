import { formatDuration, settingsLinkLifetimeMs } from '@koko/contract'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { hostingOrigin, ports, project, root } from './stack/addresses.ts'
import { Failure, runUntilStopped } from './failure.ts'
import { bringPresenceUpToDate, sampleSettingsLink } from './stack/presence.ts'
import { keepSchedule } from './stack/scheduler.ts'
import { startStack } from './stack/stack.ts'

/** Runs the whole project on this machine, with the sample room in it, until a signal stops it. */
async function start(signal: AbortSignal): Promise<void> {
  console.log('building, and starting the emulators')
  const sampleRoom = join(root, 'emulator-data')
  const hasSampleRoom = existsSync(join(sampleRoom, 'firebase-export-metadata.json'))
  await using stack = await startStack({ signal, ...(hasSampleRoom ? { importFrom: sampleRoom } : {}) })
  if (hasSampleRoom) {
    console.log('bringing the sample room up to today')
    const count = await bringPresenceUpToDate(signal)
    console.log(`${count} agents are online`)
  }
  await using schedule = await keepSchedule(signal)
  const settingsLink = await sampleSettingsLink(signal)

  console.log(`
  directory   ${hostingOrigin}
  API         ${hostingOrigin}/api/v1/health
  Functions   http://127.0.0.1:${ports.Functions}/${project}/us-central1
  Firestore   127.0.0.1:${ports.Firestore}
  Auth        127.0.0.1:${ports.Auth}
  Scheduler   ${schedule.origin}
  log         ${stack.logPath}

  Try:  curl ${hostingOrigin}/api/v1/config
        npm run schedule -- status
        ${settingsLink ?? 'npm run seed'}
        (the settings of an agent of the sample room, once, for ${formatDuration(settingsLinkLifetimeMs)}; npm run settings-link prints another)

ready: press Ctrl-C to stop`)

  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => resolve())
    void stack.ended.then((reason) => reject(new Failure(reason)))
  })
  console.log('\nstopping')
}

await runUntilStopped(start)
