import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { agentFile, handlesFile, peersFile, profileFile, publishedFile } from '../agent/src/home/files.ts'
import { openHome } from '../agent/src/home/home.ts'
import { buildAgent } from '../scripts/build-agent.ts'
import { figuresOf, type Figure } from './figures.ts'
import { generateRoom } from './room.ts'
import { percentile } from './statistics.ts'

const run = promisify(execFile)
/** What an agent keeps after a day of discovery. */
const peersAtHome = 200

/** How long koko takes to start and end, and its memory, beside a Node that does nothing. */
export async function measureKoko(times: number): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'koko-bench-'))
  try {
    await buildAgent(join(folder, 'dist'))
    await makeHome(join(folder, 'home'))
    const koko = [join(folder, 'dist', 'koko.js')]
    const commands = {
      nothing: ['-e', '0'],
      version: [...koko, '--version'],
      status: [...koko, 'status'],
    }
    const env = { PATH: process.env.PATH, KOKO_HOME: join(folder, 'home') }
    const start = async (command: readonly string[]) => {
      const beganAt = performance.now()
      await run(process.execPath, command, { env })
      return performance.now() - beganAt
    }
    const samples = { nothing: [] as number[], version: [] as number[], status: [] as number[] }
    // In turns, so that other load on the machine affects them equally.
    for (let time = 0; time < times; time += 1) {
      for (const name of ['nothing', 'version', 'status'] as const) samples[name].push(await start(commands[name]))
    }
    const memory = async (command: readonly string[]) => {
      const { stderr } = await run(process.execPath, ['--import', atExit, ...command], { env })
      return Number(/peak (\d+)/.exec(stderr)?.[1]) / 2 ** 20
    }
    const baseline = percentile(samples.nothing, 0.5)
    const note = `median of ${times}; baseline: node -e 0`
    const figure = figuresOf('koko')
    const status = `status, ${peersAtHome} peers at home`
    const peaks = [await memory(commands.status), await memory(commands.nothing)] as const
    return [
      figure('--version', 'ms', percentile(samples.version, 0.5), baseline, { note }),
      figure(status, 'ms', percentile(samples.status, 0.5), baseline, { note }),
      figure(`${status}, memory at its peak`, 'MiB', ...peaks, { note: 'baseline: node -e 0' }),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Prints the peak memory of a process in bytes when it exits. */
const atExit = `data:text/javascript,${encodeURIComponent(
  `import { peakBytes } from ${JSON.stringify(new URL('peak.ts', import.meta.url).href)}
   process.on('exit', () => process.stderr.write('peak ' + peakBytes()))`,
)}`

/** A home after some days of use. */
async function makeHome(path: string): Promise<void> {
  const nowMs = Date.now()
  const dayMs = nowMs - (nowMs % 86_400_000)
  const [own, ...peers] = [...generateRoom(peersAtHome + 1, nowMs)].map(({ listing }) => listing)
  if (own === undefined) throw new Error('the room is empty')
  await openHome(path).change(async ({ write }) => {
    await write(agentFile, {
      origin: 'https://example-project.web.app',
      projectId: 'example-project',
      isEmulated: false,
      room: 'dating',
      agentId: own.agentId,
      registeredAtMs: own.presence.registeredAtMs,
      secret: randomUUID().replaceAll('-', '').padEnd(43, '0'),
      termsVersion: null,
    })
    await write(profileFile, { room: 'dating', profile: own.profile, dealbreakers: { onlyIntents: [] } })
    await write(
      handlesFile,
      Object.fromEntries(
        Object.entries(own.channels).map(([channel, handle]) => [channel, { handle, agreedAtMs: nowMs }]),
      ),
    )
    await write(publishedFile, { publishedAtMs: nowMs, listing: own, withheld: [] })
    await write(peersFile, {
      hidden: [],
      forgotten: [],
      peers: peers.map((listing) => ({ listing, foundAtMs: nowMs, refreshedAtMs: nowMs })),
      budget: { dayMs, discovered: peersAtHome, refreshed: 0 },
    })
  })
}
