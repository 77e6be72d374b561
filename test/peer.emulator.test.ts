import { afterAll, expect, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, discoverWhen, type Peer } from '../docs/examples/peer.ts'
import { pauseSchedule, republishNow } from '../testing/schedule.ts'
import { fullProfile as profile } from '../testing/samples.ts'
import { wholeDatabase } from '../testing/whole-database.ts'

const origin = process.env.KOKO_ORIGIN ?? 'http://127.0.0.1:5000'
const project = process.env.GCLOUD_PROJECT ?? 'demo-koko'
const number = '+447700900456'
const channels = { whatsapp: number, telegram: 'ada_of_the_test' }

const peers: Peer[] = []
async function newPeer(name: string): Promise<Peer> {
  const peer = await connect(origin, name)
  peers.push(peer)
  return peer
}

afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.disconnect()))
})

test('a peer on the official SDK publishes, is found, unlinks its number, links it again, and leaves nothing behind', async () => {
  const ada = await newPeer('ada')
  const bea = await newPeer('bea')
  const { agentId, secret, token: adaToken } = await ada.register('dating')
  const { agentId: beaId } = await bea.register('dating')
  await ada.call('publishProfile', { channels, profile })
  await bea.call('publishProfile', { channels: { telegram: 'bea_of_the_test' }, profile })
  await republishNow()
  const seenByBea = async () => {
    const { agents } = await bea.discover('dating')
    return agents.find((agent) => agent.agentId === agentId)?.channels
  }
  await discoverWhen(bea, 'dating', (agents) => agents.some((agent) => agent.agentId === agentId))
  expect(await seenByBea()).toEqual(channels)

  // Unlinks while nothing rewrites the shards.
  await using paused = await pauseSchedule()
  const unlinked = await ada.call('unlinkChannel', { channel: 'whatsapp' })
  expect(await ada.listing('dating')).toMatchObject({ channels: { telegram: channels.telegram } })
  expect(JSON.stringify(await ada.listing('dating'))).not.toContain(number)
  await delay(Math.max(0, Number(unlinked.goneByMs) - Date.now()))
  expect(await seenByBea()).toEqual({ telegram: channels.telegram })

  // Publishing does not bring it back.
  const { published, withheld } = await ada.call('publishProfile', { channels, profile })
  expect(JSON.stringify(published)).not.toContain(number)
  expect(withheld).toEqual([{ channel: 'whatsapp', unlinkedAtMs: unlinked.unlinkedAtMs }])
  await paused.resume()
  await republishNow()
  await delay(5_000)
  expect(await seenByBea()).toEqual({ telegram: channels.telegram })
  for (const [path, text] of await wholeDatabase(project)) expect([path, text.includes(number)]).toEqual([path, false])

  // A settings session lifts it; the number returns with the next publish.
  const { url } = await ada.call('createSettingsLink')
  const operator = await newPeer('operator')
  const code = String(url).split('#code=')[1] ?? ''
  const { token } = await operator.call('redeemSettingsLink', { code })
  await operator.signIn(String(token))
  await expect(operator.call('publishProfile', { channels, profile })).rejects.toMatchObject({
    code: 'functions/permission-denied',
  })
  await operator.call('relinkChannel', { channel: 'whatsapp' })
  await ada.call('publishProfile', { channels, profile })
  await republishNow()
  await delay(5_000)
  expect(await seenByBea()).toEqual(channels)

  await ada.call('unregisterAgent')
  await bea.call('unregisterAgent')
  await republishNow()
  const left = await wholeDatabase(project)
  expect(left.size).toBeGreaterThan(0)
  for (const [path, text] of left) {
    for (const trace of [agentId, beaId, number, channels.telegram, 'bea_of_the_test']) {
      expect([path, path.includes(trace) || text.includes(trace)]).toEqual([path, false])
    }
  }
  const accounts = await fetch(
    `http://${process.env.FIREBASE_AUTH_EMULATOR_HOST ?? ''}/identitytoolkit.googleapis.com/v1/projects/${project}/accounts:query`,
    { method: 'POST', headers: { authorization: 'Bearer owner', 'content-type': 'application/json' }, body: '{}' },
  )
  expect(accounts.ok).toBe(true)

  // Whatever the emulators and the functions said in all of this run, debug output included.
  const log = await readFile(process.env.KOKO_STACK_LOG ?? '', 'utf8')
  expect(log).toContain('unlinkChannel')
  for (const trace of [number, ...Object.values(channels), 'bea_of_the_test', secret, code, adaToken, String(token)]) {
    expect(log.includes(trace)).toBe(false)
  }
  expect(await accounts.text()).not.toMatch(new RegExp(`${agentId}|${beaId}`))
}, 240_000)
