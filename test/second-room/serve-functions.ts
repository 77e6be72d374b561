// Serves every function of a bundle in one process, each by its name as the last part of the path, and the HTTP API under
// /api. The test forks it with the bundle's path; it sends back the port.
import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'
import * as z from 'zod'

type Handler = Parameters<typeof http>[1]

const Bundle = z.record(
  z.string(),
  z.custom<Handler>((value) => typeof value === 'function'),
)
const functions = Bundle.parse({ ...(await import(pathToFileURL(process.argv[2] ?? '').href)) })

http('all', (request, response) => {
  const [path = ''] = request.originalUrl.split('?')
  const name = path.startsWith('/api/') ? 'api' : path.slice(path.lastIndexOf('/') + 1)
  const handler = functions[name]
  if (handler === undefined) {
    response.status(404).end()
    return
  }
  void handler(request, response)
})

const server = getTestServer('all')
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
