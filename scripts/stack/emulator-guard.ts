// Loaded into firebase-tools' process before its own code. The Java emulators are started detached, so they outlive a
// firebase-tools that is killed, crashes, or is interrupted between starting one and writing it down. Here every child
// is known from its first moment, and none survives the process that started it, nor the stack that wanted it.
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'

/** A JVM takes well under a second to leave when asked. */
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
