import { describe, expect, test } from '@jest/globals'
import { DirectoryError } from '@koko/contract'
import type { Fields, Store } from '../src/ports.ts'

/** The Firestore emulator resolves a race by waiting. */
const raceTimeoutMs = 60_000

/** What the core relies on in a store. Runs on the in-memory store and on Firestore. */
export function describeStore(name: string, store: Store): void {
  let collections = 0
  /** A collection that no other case uses. */
  const newCollection = () => `cases${process.pid}x${(collections += 1)}`

  const write = (documents: Record<string, Fields | null>) =>
    store.transaction((transaction) => {
      for (const [path, fields] of Object.entries(documents)) {
        if (fields === null) transaction.delete(path)
        else transaction.set(path, fields)
      }
      return Promise.resolve()
    })

  /** The value of the work, or `aborted` if it lost the race too often. */
  async function raced<T>(work: Promise<T>): Promise<T | 'aborted'> {
    try {
      return await work
    } catch (error) {
      if (error instanceof DirectoryError && error.code === 'aborted') return 'aborted'
      throw error
    }
  }

  describe(name, () => {
    test('reads documents in the order asked, with null for a missing one', async () => {
      const at = newCollection()
      await write({ [`${at}/a`]: { is: 'a' }, [`${at}/b`]: { is: 'b' } })
      expect(await store.get([`${at}/b`, `${at}/none`, `${at}/a`, `${at}/b`])).toEqual([
        { is: 'b' },
        null,
        { is: 'a' },
        { is: 'b' },
      ])
      expect(await store.get([])).toEqual([])
      const inside = await store.transaction((transaction) => transaction.get([`${at}/none`, `${at}/a`]))
      expect(inside).toEqual([null, { is: 'a' }])
    })

    test('keeps every kind of value, at any depth', async () => {
      const path = `${newCollection()}/a`
      const fields = {
        text: 'Grüße, 世界, \u{1F600}',
        empty: '',
        number: 1_795_262_400_000,
        fraction: 0.1,
        negative: -1,
        yes: true,
        nothing: null,
        list: [1, 'two', null, { three: [3] }],
        none: [],
        map: { inner: { deepest: {} }, 'with.dot': 1 },
      }
      await write({ [path]: fields })
      expect(await store.get([path])).toEqual([fields])
    })

    test('keeps times as Dates and bytes as Uint8Arrays', async () => {
      const at = newCollection()
      const date = new Date('2026-11-21T12:34:56.789Z')
      const bytes = Uint8Array.from([0, 1, 127, 128, 255])
      await write({ [`${at}/a`]: { date, bytes, nested: { dates: [date] } } })
      const [read] = await store.get([`${at}/a`])
      const [queried] = await store.query({ collection: at, limit: 1 })
      for (const fields of [read, queried?.fields]) {
        expect(fields?.date).toBeInstanceOf(Date)
        expect(fields).toMatchObject({ date, nested: { dates: [date] } })
        expect(fields?.bytes).toBeInstanceOf(Uint8Array)
        expect([...(fields?.bytes as Uint8Array)]).toEqual([...bytes])
      }
    })

    test('returns copies, and keeps a copy of what it is given', async () => {
      const path = `${newCollection()}/a`
      const given = { list: [1] }
      await store.transaction((transaction) => {
        transaction.set(path, given)
        return Promise.resolve()
      })
      given.list.push(2)
      const [first] = await store.get([path])
      ;(first?.list as number[]).push(3)
      expect(await store.get([path])).toEqual([{ list: [1] }])
    })

    test('replaces a whole document', async () => {
      const path = `${newCollection()}/a`
      await write({ [path]: { one: 1, map: { a: 1, b: 2 } } })
      await write({ [path]: { two: 2, map: { a: 3 } } })
      expect(await store.get([path])).toEqual([{ two: 2, map: { a: 3 } }])
    })

    test('deletes documents, missing ones included, and keeps the last write of a transaction', async () => {
      const at = newCollection()
      await write({ [`${at}/a`]: { is: 1 } })
      await write({ [`${at}/a`]: null, [`${at}/none`]: null })
      expect(await store.get([`${at}/a`, `${at}/none`])).toEqual([null, null])
      await store.transaction((transaction) => {
        transaction.set(`${at}/b`, { is: 1 })
        transaction.delete(`${at}/b`)
        transaction.delete(`${at}/c`)
        transaction.set(`${at}/c`, { is: 2 })
        return Promise.resolve()
      })
      expect(await store.get([`${at}/b`, `${at}/c`])).toEqual([null, { is: 2 }])
    })

    test("tells a transaction the database's time of its last read", async () => {
      const path = `${newCollection()}/a`
      const times = await store.transaction(async (transaction) => {
        expect(() => transaction.readTime()).toThrow('its reads only')
        await transaction.get([])
        expect(() => transaction.readTime()).toThrow('its reads only')
        await transaction.get([path])
        const first = transaction.readTime()
        await transaction.get([path])
        return [first.getTime(), transaction.readTime().getTime()]
      })
      const later = await store.transaction(async (transaction) => {
        await transaction.get([path])
        return transaction.readTime().getTime()
      })
      expect([...times, later]).toEqual([...times, later].sort())
      // The emulator runs on this machine.
      expect(Math.abs(later - Date.now())).toBeLessThan(raceTimeoutMs)
    })

    test('returns what the work returns', async () => {
      expect(await store.transaction(() => Promise.resolve({ answer: 42 }))).toEqual({ answer: 42 })
    })

    test('writes nothing when the work throws, and throws the same error', async () => {
      const path = `${newCollection()}/a`
      for (const thrown of [new DirectoryError('not-found', 'There is no such thing.'), new Error('a bug')]) {
        const work = store.transaction(async (transaction) => {
          await transaction.get([path])
          transaction.set(path, { is: 1 })
          throw thrown
        })
        await expect(work).rejects.toBe(thrown)
      }
      expect(await store.get([path])).toEqual([null])
    })

    test('refuses a read after a write in one transaction', async () => {
      const path = `${newCollection()}/a`
      const work = store.transaction(async (transaction) => {
        transaction.set(path, { is: 1 })
        await transaction.get([path])
      })
      await expect(work).rejects.toThrow()
      expect(await store.get([path])).toEqual([null])
    })

    test(
      'loses no update among racing transactions',
      async () => {
        const path = `${newCollection()}/counter`
        await write({ [path]: { count: 0 } })
        const increments = Array.from({ length: 4 }, () =>
          store.transaction(async (transaction) => {
            const [fields] = await transaction.get([path])
            transaction.set(path, { count: Number(fields?.count) + 1 })
            return 'done' as const
          }),
        )
        const results = await Promise.all(increments.map(raced))
        const done = results.filter((result) => result === 'done').length
        expect(done).toBeGreaterThan(0)
        expect(await store.get([path])).toEqual([{ count: done }])
      },
      raceTimeoutMs,
    )

    test(
      'lets exactly one of many racers create a document that none of them found',
      async () => {
        const path = `${newCollection()}/once`
        const racers = Array.from({ length: 4 }, (_, racer) =>
          store.transaction(async (transaction) => {
            const [found] = await transaction.get([path])
            if (found !== null) return 'late'
            transaction.set(path, { racer })
            return `first ${racer}`
          }),
        )
        const results = await Promise.all(racers.map(raced))
        const first = results.filter((result) => result.startsWith('first'))
        expect(first).toHaveLength(1)
        const [stored] = await store.get([path])
        expect(first).toEqual([`first ${String(stored?.racer)}`])
      },
      raceTimeoutMs,
    )

    test(
      'lets a patient transaction outlast a lock on which an ordinary one gives up',
      async () => {
        const path = `${newCollection()}/a`
        await write({ [path]: { count: 0 } })
        const held = Promise.withResolvers<undefined>()
        const released = Promise.withResolvers<undefined>()
        // In a store that locks, nobody else may write what this transaction has read.
        const holder = store.transaction(async (transaction) => {
          await transaction.get([path])
          held.resolve(undefined)
          await released.promise
        })
        await held.promise
        let attempts = 0
        const outcome = await raced(
          store.transaction(
            async (transaction) => {
              attempts += 1
              // An ordinary transaction makes five attempts.
              if (attempts > 5) released.resolve(undefined)
              const [fields] = await transaction.get([path])
              transaction.set(path, { count: Number(fields?.count) + 1 })
              return 'done' as const
            },
            { isPatient: true },
          ),
        )
        released.resolve(undefined)
        await holder
        expect(outcome).toBe('done')
        expect(await store.get([path])).toEqual([{ count: 1 }])
      },
      raceTimeoutMs,
    )

    test(
      'runs transactions as if one after another: none decides on data that another has changed',
      async () => {
        const at = newCollection()
        await write({ [`${at}/a`]: { on: true }, [`${at}/b`]: { on: true } })
        // Each may switch one off, but only while the other is on.
        const switchOff = (own: string, other: string) =>
          store.transaction(async (transaction) => {
            const [, fields] = await transaction.get([`${at}/${own}`, `${at}/${other}`])
            if (fields?.on !== true) return 'stays on'
            transaction.set(`${at}/${own}`, { on: false })
            return 'switched off'
          })
        const results = await Promise.all([switchOff('a', 'b'), switchOff('b', 'a')].map(raced))
        expect(results.filter((result) => result === 'switched off')).toHaveLength(1)
        const stored = await store.get([`${at}/a`, `${at}/b`])
        expect(stored.filter((fields) => fields?.on === true)).toHaveLength(1)
      },
      raceTimeoutMs,
    )

    test(
      'notices that a document missing at the read was created before the commit',
      async () => {
        const at = newCollection()
        let attempts = 0
        const late: Promise<unknown>[] = []
        const seen = await raced(
          store.transaction(async (transaction) => {
            attempts += 1
            const [found] = await transaction.get([`${at}/late`])
            // In a store that locks, this one waits for the transaction, and comes after it.
            if (attempts === 1) late.push(raced(write({ [`${at}/late`]: { is: 1 } })))
            await new Promise((resolve) => setTimeout(resolve, 20))
            transaction.set(`${at}/seen`, { found: found !== null })
            return found !== null
          }),
        )
        await Promise.all(late)
        const [stored] = await store.get([`${at}/seen`])
        expect(stored ?? { found: 'aborted' }).toEqual({ found: seen })
        // Attempted once, it came first; attempted again, it has seen the other.
        if (seen !== 'aborted') expect(seen).toBe(attempts > 1)
      },
      raceTimeoutMs,
    )

    describe('queries', () => {
      test('return the documents of a collection by id, after an id, up to a limit', async () => {
        const at = newCollection()
        const ids = ['b', 'a', 'C', '1', 'a0', 'ab', '~']
        await write(Object.fromEntries(ids.map((id) => [`${at}/${id}`, { id }])))
        await write({ [`${at}/a/inner/x`]: { id: 'x' }, [`${at}other/y`]: { id: 'y' } })
        const idsOf = async (query: { afterId?: string; limit: number }) =>
          (await store.query({ collection: at, ...query })).map(({ path, fields }) => {
            expect(path).toBe(`${at}/${String(fields.id)}`)
            return fields.id
          })
        const inOrder = ['1', 'C', 'a', 'a0', 'ab', 'b', '~']
        expect(await idsOf({ limit: 100 })).toEqual(inOrder)
        expect(await idsOf({ limit: 3 })).toEqual(inOrder.slice(0, 3))
        expect(await idsOf({ limit: 2, afterId: 'a' })).toEqual(['a0', 'ab'])
        expect(await idsOf({ limit: 9, afterId: 'aa' })).toEqual(['ab', 'b', '~'])
        expect(await idsOf({ limit: 9, afterId: '~' })).toEqual([])
        expect(await store.query({ collection: newCollection(), limit: 5 })).toEqual([])
        const inner = await store.query({ collection: `${at}/a/inner`, limit: 5 })
        expect(inner).toEqual([{ path: `${at}/a/inner/x`, fields: { id: 'x' } }])
      })

      test('return the documents whose field is at most a value of its type, smallest first', async () => {
        const at = newCollection()
        const date = (day: number) => new Date(Date.UTC(2026, 10, day))
        const values: Record<string, unknown> = {
          a: 30,
          b: -5,
          c: 20,
          d: 20,
          e: 21,
          f: '20',
          g: null,
          h: date(20),
          i: date(22),
          j: date(21),
          k: true,
        }
        await write(
          Object.fromEntries(Object.entries(values).map(([id, value]) => [`${at}/${id}`, { deep: { er: value } }])),
        )
        await write({ [`${at}/none`]: { other: 1 }, [`${at}/flat`]: { deep: 1 } })
        const found = async (atMost: number | Date, limit = 100) =>
          (await store.query({ collection: at, where: { field: 'deep.er', atMost }, limit })).map(({ path }) =>
            path.slice(at.length + 1),
          )
        expect(await found(20)).toEqual(['b', 'c', 'd'])
        expect(await found(19.5)).toEqual(['b'])
        expect(await found(100)).toEqual(['b', 'c', 'd', 'e', 'a'])
        expect(await found(100, 2)).toEqual(['b', 'c'])
        expect(await found(-6)).toEqual([])
        expect(await found(date(21))).toEqual(['h', 'j'])
        expect(await found(date(30), 1)).toEqual(['h'])
      })

      test('return the documents whose field is above a value, smallest first', async () => {
        const at = newCollection()
        const values: Record<string, unknown> = { a: 3, b: 1, c: Number.MAX_SAFE_INTEGER, d: 2, e: '9', f: null }
        await write(Object.fromEntries(Object.entries(values).map(([id, value]) => [`${at}/${id}`, { n: value }])))
        const found = async (above: number, limit = 100) =>
          (await store.query({ collection: at, where: { field: 'n', above }, limit })).map(({ path }) =>
            path.slice(at.length + 1),
          )
        expect(await found(1)).toEqual(['d', 'a', 'c'])
        expect(await found(0, 2)).toEqual(['b', 'd'])
        expect(await found(Number.MAX_SAFE_INTEGER)).toEqual([])
      })

      test('return the documents whose text is in a range, by text, then by id', async () => {
        const at = newCollection()
        const areas: Record<string, unknown> = { x: 'gcp', a: 'gcpv', c: 'gcpv', b: 'gcpv', y: 'gc', z: 'u1', n: 7 }
        await write(Object.fromEntries(Object.entries(areas).map(([id, area]) => [`${at}/${id}`, { deep: { area } }])))
        await write({ [`${at}/none`]: { other: 1 } })
        type Place = [text: string, id?: string]
        const found = async ([text, id = '']: Place, to: Place | null, limit = 100) =>
          (
            await store.query({
              collection: at,
              between: {
                field: 'deep.area',
                from: { text, id },
                to: to === null ? null : { text: to[0], id: to[1] ?? '' },
              },
              limit,
            })
          ).map(({ path }) => path.slice(at.length + 1))
        expect(await found([''], null)).toEqual(['y', 'x', 'a', 'b', 'c', 'z'])
        expect(await found(['gcp'], ['gcpv', 'b'])).toEqual(['x', 'a'])
        expect(await found(['gcpv', 'b'], ['u1'])).toEqual(['b', 'c'])
        expect(await found(['gcpv', 'aa'], null, 2)).toEqual(['b', 'c'])
        expect(await found(['v'], null)).toEqual([])
      })

      test('return documents without their fields, and count them', async () => {
        const at = newCollection()
        expect(await store.count(at)).toBe(0)
        await write({ [`${at}/a`]: { big: 'x' }, [`${at}/b`]: { big: 'y' }, [`${at}/b/inner/c`]: { big: 'z' } })
        expect(await store.query({ collection: at, idsOnly: true, limit: 9 })).toEqual([
          { path: `${at}/a`, fields: {} },
          { path: `${at}/b`, fields: {} },
        ])
        expect(await store.count(at)).toBe(2)
      })

      test('return what was committed before, and nothing that was deleted', async () => {
        const at = newCollection()
        await write({ [`${at}/a`]: { at: 1 }, [`${at}/b`]: { at: 2 } })
        await write({ [`${at}/a`]: null, [`${at}/b`]: { at: 5 } })
        expect(await store.query({ collection: at, where: { field: 'at', atMost: 4 }, limit: 9 })).toEqual([])
        expect(await store.query({ collection: at, limit: 9 })).toEqual([{ path: `${at}/b`, fields: { at: 5 } }])
      })
    })
  })
}
