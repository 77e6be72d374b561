import { Agent, request } from 'node:http'

export interface Answer {
  status: number
  body: string
  /** From the request's first byte to the answer's last. */
  ms: number
  /** When the request was sent, in milliseconds since the epoch. */
  sentAtMs: number
}

/** Sends JSON over a limited number of keep-alive connections. */
export interface Connections extends Disposable {
  post: (url: string, idToken: string, body: object) => Promise<Answer>
}

export function openConnections(count: number): Connections {
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  return {
    post(url, idToken, body) {
      return new Promise((resolve, reject) => {
        const sentAtMs = Date.now()
        const startedMs = performance.now()
        const headers = { authorization: `Bearer ${idToken}`, 'content-type': 'application/json' }
        const sent = request(url, { method: 'POST', agent, headers }, (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              body: Buffer.concat(chunks).toString(),
              ms: performance.now() - startedMs,
              sentAtMs,
            }),
          )
        })
        sent.on('error', reject)
        sent.end(JSON.stringify(body))
      })
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

const discoverPath = '/api/v1/rooms/dating/agents:discover'

export interface Page extends Answer {
  nextPageToken: string | null
}

export async function discoverPage(
  connections: Connections,
  origin: string,
  idToken: string,
  query: { pageSize?: number; pageToken?: string; near?: string; withinKm?: number },
): Promise<Page> {
  const answer = await connections.post(`${origin}${discoverPath}`, idToken, query)
  if (answer.status !== 200) throw new Error(`discovery answered ${answer.status}: ${answer.body.slice(0, 300)}`)
  // A full parse would take processor time from the measured functions on the same machine.
  const token = /"nextPageToken":(?:null|"([^"]*)")/.exec(answer.body)
  return { ...answer, nextPageToken: token?.[1] ?? null }
}

/** Runs `work` on several workers until the time is over or it returns that it is done. Returns the seconds it took. */
export async function runFor(
  workers: number,
  limitMs: number,
  work: (isOver: () => boolean) => Promise<void>,
): Promise<number> {
  const startedMs = performance.now()
  const isOver = () => performance.now() - startedMs >= limitMs
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (!isOver()) await work(isOver)
    }),
  )
  return (performance.now() - startedMs) / 1_000
}
