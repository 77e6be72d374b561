import { connect, createServer } from 'node:net'

/** Whether something on this machine listens where a loopback server of ours would. */
export async function isTaken(port: number): Promise<boolean> {
  // macOS lets two programs bind one port at different addresses, so asking to bind is not enough there.
  return (await answers(port)) || !(await canListen(port))
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)))
  })
}
