// Loaded into firebase-tools' process before its own code. firebase-tools starts the Java emulators detached, so they
// survive it if it is killed, crashes, or is interrupted. This records every child from the start, and ends all of them
// with firebase-tools or with the stack.
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'

/** A JVM needs well under a second to stop. */
const GRACE_MS = 2_000

const children = new Set<ChildProcess>()
let isLeaving = false

subscribe('child_process', (message) => {
  const { process: child } = message as { process: ChildProcess }
  children.add(child)
  child.once('spawn', () => {
    process.send?.({ started: child.pid })
    if (isLeaving) child.kill('SIGKILL')
  })
  child.once('exit', () => {
    children.delete(child)
    process.send?.({ ended: child.pid })
    if (isLeaving && children.size === 0) process.exit(0)
  })
})

function leave(): void {
  if (isLeaving) return
  isLeaving = true
  for (const child of children) child.kill('SIGTERM')
  setTimeout(() => process.exit(0), children.size === 0 ? 0 : GRACE_MS)
}

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
process.once('message', leave)
process.once('disconnect', leave)
// Listening must not keep a failed firebase-tools alive.
process.channel?.unref()

// Express in firebase-tools names itself in every answer of the API. In production nothing does.
subscribe('http.server.request.start', (message) => {
  const { response } = message as { response: ServerResponse }
  const setHeader = response.setHeader.bind(response)
  response.setHeader = (name, value) => (name.toLowerCase() === 'x-powered-by' ? response : setHeader(name, value))
})
