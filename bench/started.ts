import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'

/** What a run has started, and what it has made, that must not outlive it. */
const children = new Set<ChildProcess>()
const folders = new Set<string>()

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Ends the process with this one, however this one ends in an orderly way. */
export function endWithUs(child: ChildProcess): void {
  children.add(child)
  child.once('exit', () => children.delete(child))
}

/** Deletes the folder when this process ends, if nobody has by then. */
export function deleteWithUs(folder: string): void {
  folders.add(folder)
}
