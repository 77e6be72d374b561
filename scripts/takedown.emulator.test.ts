import { afterAll, expect, jest, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, discoverWhen, type Peer } from '../docs/examples/peer.ts'
import { fullProfile as profile } from '../testing/samples.ts'
import { wholeDatabase } from '../testing/whole-database.ts'
import { root } from './stack/addresses.ts'
import { runSchedule } from './schedule.ts'
import { pauseSchedule, republishNow } from '../testing/schedule.ts'

const origin = process.env.KOKO_ORIGIN ?? 'http://127.0.0.1:5000'
const project = process.env.GCLOUD_PROJECT ?? 'demo-koko'
const goneWithinMs = 10_000

jest.setTimeout(120_000)

const peers: Peer[] = []
async function newPeer(name: string): Promise<Peer> {
  const peer = await connect(origin, name)
  peers.push(peer)
  return peer
}

/** Runs the script as npm does, with `input` on its standard input. */
async function takedown(input: string, ...given: string[]) {
  const child = spawn(process.execPath, [join(root, 'scripts', 'takedown.ts'), ...given])
  child.stdin.end(input)
  const [[status], output, errors] = await Promise.all([
    once(child, 'exit') as Promise<[number]>,
    text(child.stdout),
    text(child.stderr),
  ])
  return { status, output, errors }
}

afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.disconnect()))
})

test('a number that the host takes down is gone within 10 s without a republish, and refused in any spelling', async () => {
  const [ada, bea] = [await newPeer('ada'), await newPeer('bea')]
  const { agentId } = await ada.register('dating')
  await bea.register('dating')
  await ada.call('publishProfile', { channels: { whatsapp: '+4407700900789', telegram: 'ada_taken_down' }, profile })
  await bea.call('publishProfile', { channels: { telegram: 'bea_who_looks' }, profile })
  await republishNow()
  await discoverWhen(bea, 'dating', (agents) => agents.some((agent) => agent.agentId === agentId))
  const seen = async () => {
    const { agents } = await bea.discover('dating')
    return agents.find((agent) => agent.agentId === agentId)?.channels
  }
  expect(await seen()).toEqual({ whatsapp: '+4407700900789', telegram: 'ada_taken_down' })

  await using _paused = await pauseSchedule()
  const { status, output, errors } = await takedown('+447700900789\n')
  const goneByMs = Date.now() + goneWithinMs
  expect({ status, errors }).toEqual({ status: 0, errors: '' })
  expect(output).toMatch(/^1 listing changed; the handle is refused from now on\./)
  expect(output).not.toContain('7700900789')
  expect(await ada.listing('dating')).toMatchObject({ channels: { telegram: 'ada_taken_down' } })
  await delay(Math.max(0, goneByMs - Date.now()))
  expect(await seen()).toEqual({ telegram: 'ada_taken_down' })

  for (const whatsapp of ['+447700900789', '+4407700900789']) {
    await expect(ada.call('publishProfile', { channels: { whatsapp }, profile })).rejects.toMatchObject({
      code: 'functions/invalid-argument',
      details: [{ path: 'channels.whatsapp', message: 'must not be published here' }],
    })
  }
  await runSchedule('run', undefined)
  const everything = JSON.stringify([...(await wholeDatabase(project))])
  expect(everything).toContain('takedowns/')
  expect(everything).not.toContain('7700900789')

  expect(await takedown('+447700900789', '--lift')).toMatchObject({
    status: 0,
    output: 'The handle may be published again.\n',
  })
  await ada.call('publishProfile', { channels: { whatsapp: '+447700900789' }, profile })

  const ofAgent = await takedown('', '--agent', agentId)
  expect(ofAgent.output).toMatch(/^1 listing changed; 1 handle of the agent refused from now on\./)
  expect(await ada.listing('dating')).toBeNull()
  expect((await takedown('+447700900789', '--lift')).status).toBe(0)
})

test.each([
  ['nothing', '', [], /exactly one handle/],
  ['two lines', '+447700900789\n+447700900788', [], /exactly one handle/],
  ['another spelling', '07700900789', [], /exact form/],
  ['a handle of two channels', 'U07700900789', [], /telegram and slack\. Say which with --channel/],
  ['no channel there is', '+447700900789', ['--channel', 'fax'], /--channel must be one of whatsapp/],
  ['a handle among the arguments', '', ['+447700900789'], /^usage: /],
  ['no agent', '', ['--agent', '7700900789'], /UUID/],
])('refuses %s with one line that does not quote it', async (_name, input, given, expected) => {
  const { status, output, errors } = await takedown(input, ...given)
  expect({ status, output }).toEqual({ status: 1, output: '' })
  expect(errors).toMatch(expected)
  expect(errors).not.toContain('00900789')
})
