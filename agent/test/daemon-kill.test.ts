import { expect, jest, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildAgent } from '../../scripts/build-agent.ts'
import {
  agentFile,
  daemonFile,
  handlesFile,
  homeFiles,
  outboxFile,
  profileFile,
  publishedFile,
} from '../src/home/files.ts'
import { createListed } from './agents.ts'
import { killAgainAndAgain } from './killing.ts'
import { serveTestDirectory } from '../../testing/served-directory.ts'

jest.setTimeout(120_000)

test('a daemon that is killed at any moment leaves an undamaged home, in which the next one starts at once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'koko-killed-'))
  await using served = await serveTestDirectory()
  const { directory } = served
  try {
    await buildAgent(folder)
    await directory.addPeer()
    const lanes = await Promise.all(
      ['one', 'other'].map(async (name) => ({
        ...(await createListed({ directory, home: join(folder, name) })),
        age: 30,
      })),
    )
    const kept = await lanes[0]?.context.home.read(handlesFile)
    const run = (home: string, ...more: string[]) =>
      spawn(process.execPath, [join(folder, 'koko.js'), 'run', '--discover-at', '00:00', ...more], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { KOKO_HOME: home, NODE_COMPILE_CACHE: join(folder, 'compiled') },
      })
    /** What each was killed amid. */
    const seen = { published: 0, amidPublish: 0, amidFile: 0 }

    await killAgainAndAgain({
      times: 40,
      lanes,
      seed: 'a daemon',
      withinMs: 450,
      async start({ context, age }) {
        // There is something to publish, and a look is due.
        await context.home.change(async (files) => {
          const profile = await files.read(profileFile)
          if (profile !== undefined)
            await files.write(profileFile, { ...profile, profile: { ...profile.profile, age } })
          const daemon = await files.read(daemonFile)
          if (daemon !== undefined) await files.write(daemonFile, { ...daemon, discoveredOn: [] })
        })
        return run(context.home.path)
      },
      isAtWork: (line) => line.includes('Running as process'),
      async afterwards(lane) {
        const { home } = lane.context
        if ((await readdir(home.path)).some((name) => name.endsWith('.draft'))) seen.amidFile += 1
        expect(await home.lockedBy('daemon')).toBeUndefined()
        for (const file of homeFiles) await home.read<object>(file)
        expect(await home.read(agentFile)).toEqual(lane.agent)
        expect(await home.read(handlesFile)).toEqual(kept)
        expect(await home.read(profileFile)).toMatchObject({ profile: { age: lane.age } })
        const published = await home.read(publishedFile)
        if (published === undefined) seen.amidPublish += 1
        if (published?.listing?.profile.age === lane.age) seen.published += 1
        lane.age += 1
      },
    })
    expect(seen.published).toBeGreaterThan(0)

    for (const { context, age } of lanes) {
      const last = run(context.home.path, '--once', '--json')
      let text = ''
      last.stdout.on('data', (chunk) => (text += String(chunk)))
      expect(await once(last, 'close')).toEqual([0, null])
      expect(JSON.parse(text)).toMatchObject({ heartbeats: 1, failures: [] })
      expect(await context.home.read(publishedFile)).toMatchObject({ listing: { profile: { age: age - 1 } } })
      await context.home.change(() => Promise.resolve())
      // No unlink waits to be sent.
      const names = homeFiles.filter((file) => file !== outboxFile).map(({ name }) => name)
      expect((await readdir(context.home.path)).sort()).toEqual([...names, 'locks'].sort())
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
