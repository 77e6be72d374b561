import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP proxy whose connections can stop, as those of a server that hangs. */
export interface TcpProxy extends AsyncDisposable {
  /** Its host and port. */
  readonly host: string
  /** Accepts connections and takes what is sent, but passes nothing on: a process that was stopped. */
  stall: () => void
  /** Passes requests on, and withholds the answers. */
  stallAnswers: () => void
  /** Passes everything on again, what was withheld included. */
  resume: () => void
  /** Passes on what comes on new connections. Those that stalled stay silent: a path that lost its connections. */
  resumeNew: () => void
  /** Closes every connection and refuses new ones, until `accept`. */
  refuse: () => Promise<void>
  accept: () => Promise<void>
}

interface Link {
  near: Socket
  far: Socket
  /** What was withheld, in its order. */
  withheld: (() => void)[]
  isLost: boolean
}

export async function createTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port: targetPort } = new URL(`http://${target}`)
  const links = new Set<Link>()
  let stalled: 'nothing' | 'answers' | 'everything' = 'nothing'

  const server = createServer((near) => {
    const far = connect(Number(targetPort), hostname)
    const link: Link = { near, far, withheld: [], isLost: false }
    links.add(link)
    const pass = (from: Socket, to: Socket, isStalled: () => boolean) => {
      const forward = (work: () => void) => {
        if (link.isLost || isStalled()) link.withheld.push(work)
        else work()
      }
      from.on('data', (chunk) => forward(() => to.write(chunk)))
      from.on('error', () => undefined)
      from.on('close', () => {
        forward(() => {
          to.destroy()
          links.delete(link)
        })
      })
    }
    pass(near, far, () => stalled === 'everything')
    pass(far, near, () => stalled !== 'nothing')
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen(0)
  const { port } = server.address() as AddressInfo

  const close = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const { near, far } of links) {
      near.destroy()
      far.destroy()
    }
    links.clear()
    await closed
  }

  return {
    host: `127.0.0.1:${port}`,
    stall: () => void (stalled = 'everything'),
    stallAnswers: () => void (stalled = 'answers'),
    resume() {
      stalled = 'nothing'
      for (const { withheld } of links) for (const work of withheld.splice(0)) work()
    },
    resumeNew() {
      stalled = 'nothing'
      for (const link of links) link.isLost = true
    },
    refuse: close,
    accept: () => listen(port),
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await close()
    },
  }
}
