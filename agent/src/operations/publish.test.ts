import { Channel, publishInput, type DatingProfile } from '@koko/contract'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { profileIn } from '../../../testing/world.ts'
import { bytesOf, planPublish, type Known } from './publish.ts'

const profile: DatingProfile = profileIn('gcpv')
const alice = { handle: 'alice_a', agreedAtMs: 1 }
const unlink = { channel: 'telegram' as const, unlinkedAtMs: 7 }
const nothing: Known = { listing: null, unlinked: [] }

const spellings = {
  whatsapp: ['+12025550100', '+12025550101'],
  telegram: ['alice_a', 'alice_b'],
  discord: ['80351110224678912', '80351110224678913'],
  slack: ['U012AB3CD', 'U012AB3CE'],
} satisfies Record<Channel, string[]>

function forEachChannel<T>(
  arbitrary: (channel: Channel) => fc.Arbitrary<T>,
): fc.Arbitrary<Partial<Record<Channel, T>>> {
  return fc.record(
    {
      whatsapp: arbitrary('whatsapp'),
      telegram: arbitrary('telegram'),
      discord: arbitrary('discord'),
      slack: arbitrary('slack'),
    },
    { requiredKeys: [] },
  )
}

const spelling = (channel: Channel) => fc.constantFrom(...spellings[channel])
const home = fc.record({
  profile: fc.constantFrom(profile, { ...profile, age: 31 }),
  handles: forEachChannel((channel) => fc.record({ handle: spelling(channel), agreedAtMs: fc.constantFrom(null, 1) })),
})
const known = fc.record({
  listing: fc.option(
    fc.record({
      profile: fc.constantFrom(profile, { ...profile, age: 32 }),
      channels: forEachChannel(spelling).filter((channels) => Object.keys(channels).length > 0),
    }),
    { nil: null },
  ),
  unlinked: fc
    .subarray([...Channel.options])
    .map((channels) => channels.map((channel) => ({ channel, unlinkedAtMs: 7 }))),
}) satisfies fc.Arbitrary<Known>
const agreedNow = forEachChannel(spelling)

test('sends a handle only if the operator agreed to that very handle, and all that is sent passes the contract', () => {
  fc.assert(
    fc.property(home, known, agreedNow, (kept, directory, yes) => {
      const { input, newHandles, withheld } = planPublish(kept, directory, yes)
      for (const channel of Channel.options) {
        const sent = input?.channels[channel]
        const handle = kept.handles[channel]
        if (sent !== undefined) {
          expect(sent).toBe(handle?.handle)
          expect(handle?.agreedAtMs !== null || yes[channel] === sent).toBe(true)
        } else if (handle !== undefined) {
          expect(handle.agreedAtMs).toBeNull()
          expect(withheld.map((each) => each.channel)).toContain(channel)
        }
        if (newHandles.includes(channel)) expect(handle?.agreedAtMs).toBeNull()
      }
      if (input !== null) expect(publishInput('dating').safeParse(input).success).toBe(true)
    }),
  )
})

test('names every channel that would leave the listing without an unlink', () => {
  fc.assert(
    fc.property(home, known, agreedNow, (kept, directory, yes) => {
      const { input, removes, changes } = planPublish(kept, directory, yes)
      const isBack = (channel: Channel) => directory.unlinked.some((each) => each.channel === channel)
      for (const channel of Channel.options) {
        if (directory.listing?.channels[channel] === undefined || isBack(channel)) continue
        expect(removes.includes(channel)).toBe(input?.channels[channel] === undefined)
        expect(changes.some(({ at, kind }) => at === `channels.${channel}` && kind === 'removed')).toBe(
          removes.includes(channel),
        )
      }
    }),
  )
})

test('planned again with what it led to, a publish changes nothing', () => {
  fc.assert(
    fc.property(home, known, agreedNow, (kept, directory, yes) => {
      const { input } = planPublish(kept, directory, yes)
      const isBack = (channel: Channel) => directory.unlinked.some((each) => each.channel === channel)
      const shown = Object.fromEntries(
        Object.entries(input?.channels ?? {}).filter(([channel]) => !isBack(Channel.parse(channel))),
      )
      const listing = input === null || Object.keys(shown).length === 0 ? null : { ...input, channels: shown }
      expect(planPublish(kept, { ...directory, listing }, yes)).toMatchObject({ changes: [], isUnchanged: true })
    }),
  )
})

test('a publish whose outcome nobody knows is no reason not to publish again', () => {
  const kept = { profile, handles: { telegram: alice } }
  expect(planPublish(kept, { listing: undefined, unlinked: [] }, {}).isUnchanged).toBe(false)
  expect(planPublish(kept, { listing: undefined, unlinked: [unlink] }, {}).isUnchanged).toBe(false)
  expect(
    planPublish(kept, { listing: { profile, channels: { telegram: 'alice_a' } }, unlinked: [] }, {}).isUnchanged,
  ).toBe(true)
})

test('a handle that was unlinked on the settings page stays in what is sent, so that it returns once it is allowed', () => {
  const plan = planPublish({ profile, handles: { telegram: alice } }, { listing: null, unlinked: [unlink] }, {})
  expect(plan).toMatchObject({ input: { channels: { telegram: 'alice_a' } }, newHandles: [], isUnchanged: true })
  expect(plan.withheld).toEqual([{ ...unlink, because: 'unlinked' }])
})

test('one that was unlinked from here is not sent, and is asked for again only once it is allowed', () => {
  const kept = { profile, handles: { telegram: { ...alice, agreedAtMs: null } } }
  const back = planPublish(kept, { listing: null, unlinked: [unlink] }, { telegram: 'alice_a' })
  expect(back).toMatchObject({ input: null, newHandles: [], withheld: [{ because: 'unlinked' }] })
  expect(planPublish(kept, nothing, {})).toMatchObject({ input: null, newHandles: ['telegram'] })
  expect(planPublish(kept, nothing, { telegram: 'alice_a' })).toMatchObject({ newHandles: ['telegram'], withheld: [] })
})

test('a yes to one handle is none to another that was linked meanwhile', () => {
  const kept = { profile, handles: { telegram: { handle: 'alice_b', agreedAtMs: null } } }
  const listing = { profile, channels: { telegram: 'alice_a' } }
  const plan = planPublish(kept, { listing, unlinked: [] }, { telegram: 'alice_a' })
  expect(plan).toMatchObject({ input: null, removes: ['telegram'], withheld: [{ because: 'not agreed' }] })
})

test('tells each field that changes, with what it was', () => {
  const handles = { telegram: { handle: 'alice_b', agreedAtMs: 1 }, slack: { handle: 'U012AB3CD', agreedAtMs: 1 } }
  const listing = { profile: { ...profile, age: 29 }, channels: { telegram: 'alice_a', discord: '80351110224678912' } }
  const { changes, input } = planPublish({ profile, handles }, { listing, unlinked: [] }, {})
  expect(changes).toEqual([
    { at: 'channels.telegram', kind: 'changed', before: 'alice_a', after: 'alice_b' },
    { at: 'channels.slack', kind: 'added', after: 'U012AB3CD' },
    { at: 'profile.age', kind: 'changed', before: 29, after: 30 },
    { at: 'channels.discord', kind: 'removed', before: '80351110224678912' },
  ])
  expect(input === null ? '' : bytesOf(input)).toBe(
    '{"data":{"channels":{"telegram":"alice_b","slack":"U012AB3CD"},"profile":{"gender":"woman","seeking":[],"age":30,"ageMin":25,"ageMax":40,"area":"gcpv","maxDistanceKm":null,"intent":"open"}}}',
  )
})
