import { createClient, signInWithToken, type Channels, type DatingProfile } from '@koko/contract'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { registerWith } from '../testing/register.ts'
import { hostingOrigin, ports, root } from './stack/addresses.ts'
import { runUntilStopped } from './failure.ts'
import { runSchedule } from './schedule.ts'
import { keepSchedule } from './stack/scheduler.ts'
import { startStack } from './stack/stack.ts'

/** The size of the sample room: each combination of channels once, then the first nine again. */
const agents = 24
/** London, Paris, Berlin, Lisbon, New York, and larger cells. */
const areas = ['gcpv', 'u09t', 'u33d', 'eycs', 'dr5r', 'gcp', 'u3', 'gcpu']

/** Fictional handles: Ofcom's numbers for drama, and sample names. */
function channelsOf(index: number): Channels {
  const combination = (index % 15) + 1
  const two = String(index).padStart(2, '0')
  return {
    ...(combination & 1 ? { whatsapp: `+4477009001${two}` } : {}),
    ...(combination & 2 ? { telegram: `sample_agent_${two}` } : {}),
    ...(combination & 4 ? { discord: `1000000000000000${two}` } : {}),
    ...(combination & 8 ? { slack: `U0SAMPLE0${two}` } : {}),
  }
}

function profileOf(index: number): DatingProfile {
  const pick = <T>(values: readonly [T, ...T[]], step: number): T => values[(index * step) % values.length] ?? values[0]
  const age = 21 + ((index * 7) % 45)
  return {
    gender: pick(['woman', 'man', 'nonbinary', 'woman', 'man', 'other'], 1),
    seeking: pick<DatingProfile['seeking']>([['man'], ['woman'], [], ['woman', 'man'], ['nonbinary', 'other']], 3),
    age,
    ageMin: Math.max(18, age - 8),
    ageMax: Math.min(120, age + 10),
    area: pick(areas as [string, ...string[]], 5),
    maxDistanceKm: pick<number | null>([50, 100, null, 300, 25], 2),
    intent: pick(['long_term', 'short_term', 'friendship', 'casual', 'open'], 1),
  }
}

/** Fills an empty stack through the public API, brings discovery up to date, and exports it to `emulator-data/`. */
async function seed(signal: AbortSignal): Promise<void> {
  await using _stack = await startStack({ signal })
  await using _schedule = await keepSchedule(signal)
  const anyone = createClient({ origin: hostingOrigin, signal })
  const config = await anyone.config()
  for (let index = 0; index < agents; index += 1) {
    const { token } = await registerWith(anyone)
    const { idToken } = await signInWithToken(config, token, { signal })
    const agent = createClient({ origin: hostingOrigin, idToken, signal })
    await agent.call('publishProfile', { channels: channelsOf(index), profile: profileOf(index) })
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
  console.log(`seed: ${agents} agents in emulator-data/`)
}

await runUntilStopped(seed)
