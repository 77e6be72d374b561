import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { handlesFile, profileFile } from '../src/home/files.ts'
import { openHome } from '../src/home/home.ts'
import { entry } from './operator.ts'

// koko in a terminal of its own, which `script` (util-linux) lends it, and somebody who types.
jest.setTimeout(60_000)

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'koko-terminal-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const enter = '\r'
const down = '\u001b[B'
const ctrlC = '\u0003'

/** Waits for each text in turn, then types; `ahead` is typed before anything is shown. */
async function type(
  given: readonly string[],
  turns: readonly (readonly [until: string, keys: string])[],
  ahead = '',
): Promise<{ exitCode: number | null; screen: string }> {
  const command = [process.execPath, entry, ...given].map((part) => `'${part}'`).join(' ')
  const child = spawn('script', ['-qefc', `stty cols 100 rows 40; ${command}`, '/dev/null'], {
    env: { PATH: process.env.PATH, KOKO_HOME: join(folder, 'home'), TERM: 'xterm-256color', LANG: 'C.UTF-8' },
    stdio: 'pipe',
  })
  let screen = ''
  let seen = 0
  const waiting = [...turns]
  child.stdin.write(ahead)
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += stripVTControlCharacters(text)
    const [next] = waiting
    const at = next === undefined ? -1 : screen.indexOf(next[0], seen)
    if (next === undefined || at < 0) return
    seen = at + next[0].length
    waiting.shift()
    // What is typed before a question listens is lost, as it is for people.
    setTimeout(() => child.stdin.write(next[1]), 150)
  })
  const tooLong = setTimeout(() => child.kill('SIGKILL'), 30_000)
  const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve))
  clearTimeout(tooLong)
  expect({ waiting, screen: waiting.length === 0 ? '' : screen }).toEqual({ waiting: [], screen: '' })
  return { exitCode, screen }
}

test('asks for the profile in words, checks each answer at once, and keeps only the cell of a city', async () => {
  const { exitCode, screen } = await type(
    ['profile', 'edit'],
    [
      ['What is your gender', enter],
      ['Who are you interested in?', `${down} ${enter}`],
      ['How old are you', `17${enter}`],
      ['whole number from 18 to 120', `\u007f\u007f34${enter}`],
      ['lowest age', `28${enter}`],
      ['highest age', `45${enter}`],
      ['Where are you?', enter],
      ['Which city?', `Lisboa${enter}`],
      ['How large is the cell', enter],
      ['How far away', `anywhere${enter}`],
      ['What are you looking for?', enter],
      ['may a match', enter],
    ],
  )
  expect([exitCode, screen]).toEqual([0, expect.stringContaining('Nothing was sent')])
  const home = openHome(join(folder, 'home'))
  expect(await home.read(profileFile)).toEqual({
    room: 'dating',
    profile: {
      gender: 'woman',
      seeking: ['man'],
      age: 34,
      ageMin: 28,
      ageMax: 45,
      area: 'eycs',
      maxDistanceKm: null,
      intent: 'long_term',
    },
    dealbreakers: { onlyIntents: [] },
  })
})

test('shows what WhatsApp gives away and its alternatives, and keeps nothing if the answer is no', async () => {
  const { exitCode, screen } = await type(['link', 'whatsapp', '+44 7700 900123'], [['Save +447700900123', 'n']])
  expect(exitCode).toBe(1)
  for (const way of ['another channel', 'dedicated number', 'generated number', 'several channels']) {
    expect(screen.replaceAll(/\s+/g, ' ').toLowerCase()).toContain(way)
  }
  expect(await openHome(join(folder, 'home')).read(handlesFile)).toBeUndefined()
})

test.each([['y'], ['y\r'], ['yyyy\r\ry']])(
  'a key that was typed before a question does not answer it: %j',
  async (ahead) => {
    const { exitCode, screen } = await type(
      ['link', 'whatsapp', '+44 7700 900123'],
      [['Save +447700900123', 'n']],
      ahead,
    )
    expect([exitCode, screen]).toEqual([1, expect.stringContaining('Nothing was saved')])
    expect(await openHome(join(folder, 'home')).read(handlesFile)).toBeUndefined()
  },
)

test('asks for a number that is not on the command line, and for its country where it has no country code', async () => {
  const { exitCode, screen } = await type(
    ['link', 'whatsapp'],
    [
      ['Your WhatsApp number?', `202-555-0123${enter}`],
      ['Which country is it from?', `nowhere${enter}`],
      ['There is no country', `${'\u007f'.repeat(7)}United States${enter}`],
      ['Save +12025550123 (United States)', 'y'],
    ],
  )
  expect([exitCode, screen]).toEqual([0, expect.stringContaining('/help/whatsapp')])
  expect(screen).not.toContain('Egypt')
  expect(await openHome(join(folder, 'home')).read(handlesFile)).toMatchObject({ whatsapp: { handle: '+12025550123' } })
})

test('Ctrl-C at a question ends it, changes nothing, and says so', async () => {
  const { exitCode, screen } = await type(['profile', 'edit'], [['What is your gender', ctrlC]])
  expect([exitCode, screen]).toEqual([1, expect.stringContaining('were not saved')])
  expect(await readdir(folder)).toEqual([])
})
