import { createClient, signInWithToken } from '@koko/contract'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { registerWith } from '../testing/register.ts'
import { sampleRoom } from '../testing/sample-room.ts'
import { hostingOrigin, ports, root } from './stack/addresses.ts'
import { runUntilStopped } from './failure.ts'
import { runSchedule } from './schedule.ts'
import { keepSchedule } from './stack/scheduler.ts'
import { startStack } from './stack/stack.ts'

/** Fills an empty stack through the public API, brings discovery up to date, and exports it to `emulator-data/`. */
async function seed(signal: AbortSignal): Promise<void> {
  await using _stack = await startStack({ signal })
  await using _schedule = await keepSchedule(signal)
  const anyone = createClient({ origin: hostingOrigin, signal })
  const config = await anyone.config()
  for (const published of sampleRoom) {
    const { token } = await registerWith(anyone)
    const { idToken } = await signInWithToken(config, token, { signal })
    const agent = createClient({ origin: hostingOrigin, idToken, signal })
    await agent.call('publishProfile', published)
  }
  await runSchedule('run', undefined)

  const folder = join(root, 'emulator-data')
  await rm(folder, { recursive: true, force: true })
  const response = await fetch(`http://127.0.0.1:${ports['Emulator hub']}/_admin/export`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ path: folder, initiatedBy: 'seed' }),
    signal,
  })
  if (!response.ok) throw new Error(`the emulators' export answered ${response.status}`)
  console.log(`seed: ${sampleRoom.length} agents in emulator-data/`)
}

await runUntilStopped(seed)
