import { afterAll, afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import * as fc from 'fast-check'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import * as z from 'zod'
import { UserError } from '../errors.ts'
import { openHome, type HomeFile } from './home.ts'

jest.setTimeout(60_000)

const folder = await mkdtemp(join(tmpdir(), 'koko-home-'))
afterAll(() => rm(folder, { recursive: true }))

const freshPath = () => join(folder, randomUUID())

const Note = z.strictObject({ words: z.array(z.string('must be a word')) })
const noteFile: HomeFile<z.infer<typeof Note>> = { name: 'note.json', schema: Note, migrations: [] }

/** A home with a file of this text. */
async function homeWith(text: string) {
  const home = openHome(freshPath())
  await mkdir(home.path, 0o700)
  await writeFile(join(home.path, 'note.json'), text)
  return home
}

async function userErrorFrom(work: Promise<unknown>): Promise<UserError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof UserError) return error
  throw new Error('Nothing failed.', { cause: error })
}

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

describe('a file', () => {
  test('is read as it was written, until it is removed', async () => {
    const home = openHome(freshPath())
    await home.change(async (files) => {
      await files.write(noteFile, { words: ['one', 'two'] })
      expect(await files.read(noteFile)).toEqual({ words: ['one', 'two'] })
    })
    expect(await home.read(noteFile)).toEqual({ words: ['one', 'two'] })
    await home.change((files) => files.remove(noteFile))
    expect(await home.read(noteFile)).toBeUndefined()
  })

  test('that was never written is read without a trace', async () => {
    const home = openHome(freshPath())
    expect(await home.read(noteFile)).toBeUndefined()
    expect(await home.lockedBy('daemon')).toBeUndefined()
    await expect(stat(home.path)).rejects.toThrow('ENOENT')
  })

  test('is one of the values that were written, whole, however two writers interleave', async () => {
    const value = fc.record({ words: fc.array(fc.string({ maxLength: 2_000, size: 'max' }), { maxLength: 20 }) })
    await fc.assert(
      fc.asyncProperty(fc.tuple(fc.array(value, { minLength: 1 }), fc.array(value, { minLength: 1 })), async (both) => {
        const path = freshPath()
        const writers = both.map(async (values) => {
          for (const next of values) await openHome(path).change((files) => files.write(noteFile, next))
        })
        const reading = (async () => {
          for (let look = 0; look < 100; look += 1) {
            const seen = await openHome(path).read(noteFile)
            if (seen !== undefined) expect(both.flat()).toContainEqual(seen)
          }
        })()
        await Promise.all([...writers, reading])
        expect(both.map((values) => values.at(-1))).toContainEqual(await openHome(path).read(noteFile))
      }),
      { numRuns: 15 },
    )
  })

  test('is read and written with nobody else in between', async () => {
    const path = freshPath()
    const add = () =>
      openHome(path).change(async (files) => {
        const { words } = (await files.read(noteFile)) ?? { words: [] }
        await files.write(noteFile, { words: [...words, 'word'] })
      })
    await Promise.all(Array.from({ length: 20 }, add))
    expect((await openHome(path).read(noteFile))?.words).toHaveLength(20)
  })

  test('that does not follow its schema is not written', async () => {
    const home = openHome(freshPath())
    await home.change((files) => files.write(noteFile, { words: ['one'] }))
    const wrong = { words: ['one'], more: 1 }
    await expect(home.change((files) => files.write(noteFile, wrong))).rejects.toThrow()
    expect(await home.read(noteFile)).toEqual({ words: ['one'] })
  })
})

describe('a damaged file is told by its path and the rule, never by what it holds', () => {
  test.each([
    ['it is not a JSON object', '{"version": 1, "words": ["tr0ub4dor'],
    ['it is not a JSON object', ''],
    ['it is not a JSON object', '"tr0ub4dor"'],
    ['it is not a JSON object', '["tr0ub4dor"]'],
    ['version must be a whole number from 1', '{"words": ["tr0ub4dor"]}'],
    ['version must be a whole number from 1', '{"version": "tr0ub4dor", "words": []}'],
    ['version must be a whole number from 1', '{"version": 0, "words": ["tr0ub4dor"]}'],
    ['words.1 must be a word', '{"version": 1, "words": ["tr0ub4dor", 1]}'],
    ['the file must have no other fields', '{"version": 1, "words": [], "tr0ub4dor": 1}'],
  ])('%s: %s', async (rule, text) => {
    const home = await homeWith(text)
    const error = await userErrorFrom(home.read(noteFile))
    expect(error.message).toBe(`${join(home.path, 'note.json')} is damaged: ${rule}.`)
    expect(error.hint).toBe('Run `koko doctor`.')
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('tr0ub4dor')
    expect(await readFile(join(home.path, 'note.json'), 'utf8')).toBe(text)
  })
})

describe('what is no file of koko is not read', () => {
  test('a pipe, from which nothing ever comes', async () => {
    const home = await homeWith('')
    await rm(join(home.path, 'note.json'))
    await promisify(execFile)('mkfifo', [join(home.path, 'note.json')])
    expect((await userErrorFrom(home.read(noteFile))).message).toMatch(/is damaged: it is not a file\.$/)
    // What took its place is a file again.
    await home.change((files) => files.write(noteFile, { words: [] }))
    expect(await home.read(noteFile)).toEqual({ words: [] })
  })

  test('more than koko writes', async () => {
    const home = await homeWith('')
    await truncate(join(home.path, 'note.json'), 3 * 1024 ** 3)
    expect((await userErrorFrom(home.read(noteFile))).message).toMatch(
      /is damaged: it is larger than any file that koko writes\.$/,
    )
  })
})

describe('a file of another version', () => {
  const thirdFile: HomeFile<{ words: string[]; count: number }> = {
    name: 'note.json',
    schema: z.strictObject({ words: z.array(z.string()), count: z.int() }),
    migrations: [
      ({ text }) => ({ words: z.string().parse(text).split(' ') }),
      ({ words }) => ({ words, count: z.array(z.unknown()).parse(words).length }),
    ],
  }

  test.each([
    ['{"version": 1, "text": "one two"}'],
    ['{"version": 2, "words": ["one", "two"]}'],
    ['{"version": 3, "words": ["one", "two"], "count": 2}'],
  ])('is brought up to the present one: %s', async (text) => {
    const home = await homeWith(text)
    expect(await home.read(thirdFile)).toEqual({ words: ['one', 'two'], count: 2 })
  })

  test('moves on the disk with the next write only', async () => {
    const home = await homeWith('{"version": 1, "text": "one two"}')
    const onDisk = async () => JSON.parse(await readFile(join(home.path, 'note.json'), 'utf8')) as unknown
    await home.change((files) => files.read(thirdFile))
    expect(await onDisk()).toEqual({ version: 1, text: 'one two' })
    await home.change((files) => files.write(thirdFile, { words: ['three'], count: 1 }))
    expect(await onDisk()).toEqual({ version: 3, words: ['three'], count: 1 })
  })

  test('that a newer koko wrote is refused, and left as it is', async () => {
    const home = await homeWith('{"version": 4, "secret": "tr0ub4dor"}')
    const error = await userErrorFrom(home.read(thirdFile))
    expect(error.message).toBe(`${join(home.path, 'note.json')} was written by a newer koko.`)
    expect(error.hint).toBe('Update koko.')
  })

  test('that does not hold what its version does is damaged', async () => {
    const home = await homeWith('{"version": 1, "text": ["tr0ub4dor"]}')
    const error = await userErrorFrom(home.read(thirdFile))
    expect(error.message).toBe(`${join(home.path, 'note.json')} is damaged: it is not valid as version 1.`)
    expect(inspect(error, { depth: Infinity })).not.toContain('tr0ub4dor')
  })
})

describe('everything is for its owner only', () => {
  let umask = 0
  beforeEach(() => {
    umask = process.umask(0)
  })
  afterEach(() => void process.umask(umask))

  test.each(['000', '022', '077'])('whatever the mask for new files is: %s', async (mask) => {
    process.umask(mask)
    const home = openHome(join(freshPath(), 'deep', 'home'))
    await home.change((files) => files.write(noteFile, { words: [] }))
    expect(await modeOf(join(home.path, '..'))).toBe('700')
    expect(await modeOf(home.path)).toBe('700')
    expect(await modeOf(join(home.path, 'note.json'))).toBe('600')
    expect(await modeOf(join(home.path, 'locks'))).toBe('700')
    expect(await modeOf(join(home.path, 'locks', 'files.1'))).toBe('600')
  })

  test('a folder that was open to others is closed', async () => {
    const home = await homeWith('{"version": 1, "words": []}')
    await chmod(home.path, 0o755)
    await home.change((files) => files.read(noteFile))
    expect(await modeOf(home.path)).toBe('700')
  })

  test('a folder of other things that others may read is left as it is', async () => {
    const home = openHome(freshPath())
    await mkdir(join(home.path, 'Documents'), { recursive: true })
    await chmod(home.path, 0o755)
    expect((await userErrorFrom(home.assertWritable())).hint).toBe('Set KOKO_HOME to a folder that only koko uses.')
    expect(await readdir(home.path)).toEqual(['Documents'])
    expect(await modeOf(home.path)).toBe('755')
  })
})

describe('the folder', () => {
  test('loses with the next change what a crash left in it', async () => {
    const home = await homeWith('{"version": 1, "words": []}')
    await writeFile(join(home.path, '.note.json.0123456789ab.draft'), '{"version": 1, "wo')
    expect(await home.read(noteFile)).toEqual({ words: [] })
    await home.change(() => Promise.resolve())
    expect(await readdir(home.path)).toEqual(['locks', 'note.json'])
  })

  test('can be written, and shows no trace of having been asked', async () => {
    const home = openHome(freshPath())
    await home.assertWritable()
    expect(await readdir(home.path)).toEqual(['locks'])
  })

  test('that is a file is told so by everything that needs it', async () => {
    const path = freshPath()
    await writeFile(path, '')
    const home = openHome(path)
    const works = [
      () => home.read(noteFile),
      () => home.lockedBy('files'),
      () => home.change(() => Promise.resolve()),
      () => home.assertWritable(),
    ]
    for (const work of works) {
      expect(await userErrorFrom(work())).toMatchObject({
        message: expect.stringContaining('a part of the path is not a folder'),
        hint: 'Set KOKO_HOME to a folder.',
      })
    }
  })
})

describe('who is at work', () => {
  test('is told where another waits in vain, and the lock is free once the work is over, or has failed', async () => {
    const home = openHome(freshPath())
    await home.locked('listing', 0, async () => {
      expect(await home.lockedBy('listing')).toBe(process.pid)
      const error = await userErrorFrom(home.locked('listing', 50, () => Promise.resolve()))
      expect(error.message).toBe(`Another koko (process ${process.pid}) is using ${home.path}.`)
      await home.locked('daemon', 0, () => Promise.resolve())
    })
    await expect(home.locked('listing', 0, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await home.lockedBy('listing')).toBeUndefined()
  })

  test('stops waiting when the signal aborts, with its reason, and does no work', async () => {
    const home = openHome(freshPath())
    const abort = new AbortController()
    let isDone = false
    await home.locked('listing', 0, async () => {
      const work = () => Promise.resolve(void (isDone = true))
      const waiting = openHome(home.path).locked('listing', { ms: 600_000, signal: abort.signal }, work)
      abort.abort(new UserError('Stopped.', 'Run it again.'))
      expect((await userErrorFrom(waiting)).message).toBe('Stopped.')
    })
    expect(isDone).toBe(false)
  })

  test('gets its turn beside those who never pause', async () => {
    const path = freshPath()
    let isOver = false
    const restless = Array.from({ length: 3 }, async () => {
      const home = openHome(path)
      while (!isOver) await home.change(() => Promise.resolve())
    })
    for (let turn = 0; turn < 5; turn += 1) await openHome(path).change(() => Promise.resolve())
    isOver = true
    await Promise.all(restless)
  })
})
