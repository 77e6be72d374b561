import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTestDirectory, type TestDirectory } from './directory.ts'

/** A directory of this process that others reach over the network, as they reach one under emulators. */
export interface ServedDirectory extends AsyncDisposable {
  directory: TestDirectory
}

export async function serveTestDirectory(): Promise<ServedDirectory> {
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Uint8Array[] = []
      for await (const chunk of request) chunks.push(chunk as Uint8Array)
      const { method = 'GET', url = '/', headers } = request
      const answer = await directory.fetch(placeOf(url), {
        method,
        headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
          typeof value === 'string' ? [[name, value]] : [],
        ),
        ...(method === 'GET' ? {} : { body: Buffer.concat(chunks).toString() }),
      })
      response.writeHead(answer.status, { 'content-type': 'application/json' })
      response.flushHeaders()
      // Its emulators are this server too.
      response.end((await answer.text()).replace(/"port":\d+/g, `"port":${port}`))
    })().catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const directory = await createTestDirectory({ origin, isEmulated: true, startMs: Date.now() })

  function placeOf(url: string): string {
    if (url.startsWith(`/${directory.projectId}/`)) return `http://127.0.0.1:5001${url}`
    return url.includes('.googleapis.com/') ? `http://127.0.0.1:9099${url}` : `${origin}${url}`
  }

  return {
    directory,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
