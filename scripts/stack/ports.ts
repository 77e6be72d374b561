import { connect, createServer } from 'node:net'

/** Whether a process on this machine listens on a loopback port. */
export async function isTaken(port: number): Promise<boolean> {
  // macOS lets two programs bind one port at different addresses, so a successful bind does not prove that it is free.
  return (await answers(port)) || !(await canListen(port))
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)))
  })
}
