import { readFileSync } from 'node:fs'

/**
 * The peak resident memory of this process, in bytes. On Linux it comes from proc_pid_status(5), because the value of
 * getrusage(2) starts at the peak of the parent process.
 */
export function peakBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1_024
  const kibibytes = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return Number(kibibytes) * 1_024
}
