import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { channelsOf, profileOf } from '../../testing/deployed/agents.ts'
import { standInForGoogle } from '../../testing/deployed/google.ts'
import { buildFolder, serve, type Served } from '../../testing/deployed/serve.ts'
import { registerWith } from '../../testing/register.ts'
import { createTcpProxy, type TcpProxy } from '../../testing/tcp-proxy.ts'

const timeoutMs = 90_000
const cleanUp = new AsyncDisposableStack()

let proxy: TcpProxy
let served: Served

beforeAll(async () => {
  const projectId = `demo-hanging-${process.pid}`
  const google = cleanUp.use(await standInForGoogle(projectId))
  const { folder } = cleanUp.use(await buildFolder())
  proxy = cleanUp.use(await createTcpProxy(process.env.FIRESTORE_EMULATOR_HOST ?? ''))
  served = cleanUp.use(await serve(folder, projectId, google, { FIRESTORE_EMULATOR_HOST: proxy.host }))
}, timeoutMs)
afterAll(() => cleanUp.disposeAsync())

test(
  'answers 503 while the database hangs, and serves as soon as it is back',
  async () => {
    const client = await served.client(await registerWith(await served.client()))
    const publish = () => client.call('publishProfile', { channels: channelsOf(5), profile: profileOf(5) })
    const discover = () => client.request('discover', { params: { room: 'dating' }, input: {} })
    await publish()
    await discover()
    proxy.stall()
    for (const work of [publish(), client.call('unlinkChannel', { channel: 'telegram' }), discover(), discover()]) {
      await expect(work).rejects.toMatchObject({ code: 'unavailable' })
    }
    await expect(client.request('health')).rejects.toMatchObject({ code: 'unavailable' })
    proxy.resume()
    expect((await publish()).published?.channels).toEqual(channelsOf(5))
    await client.call('unlinkChannel', { channel: 'telegram' })
    expect((await discover()).agents).toEqual([])
  },
  timeoutMs,
)
