import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { rsaKey, signIdToken } from '../testing/deployed/google.ts'

export interface KeyServer extends AsyncDisposable {
  readonly origin: string
  /** A genuine ID token of the project. */
  idToken: (projectId: string, agentId: string) => string
}

/** Google's key server. Its key may be cached for hours, as in production, so that each process asks once. */
export async function startKeyServer(): Promise<KeyServer> {
  const { privateKey, publicKey } = rsaKey()
  const keyId = randomUUID()
  const keys = JSON.stringify({ [keyId]: publicKey.export({ type: 'spki', format: 'pem' }) })
  const server = createServer((request, response) => {
    const isKeys = request.url?.startsWith('/robot/v1/metadata/x509/') === true
    response.writeHead(isKeys ? 200 : 403, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'public, max-age=19000',
    })
    response.end(isKeys ? keys : '{}')
  })
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    idToken: (projectId, agentId) => signIdToken({ projectId, keyId, privateKey }, agentId),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
