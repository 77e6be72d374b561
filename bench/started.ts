import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'

/** The processes and folders of a run, which must not outlive it. */
const children = new Set<ChildProcess>()
const folders = new Set<string>()

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Kills the process when this one exits. */
export function endWithUs(child: ChildProcess): void {
  children.add(child)
  child.once('exit', () => children.delete(child))
}

/** Deletes the folder when this process exits, if it still exists. */
export function deleteWithUs(folder: string): void {
  folders.add(folder)
}
