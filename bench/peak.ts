import { readFileSync } from 'node:fs'

/**
 * The most memory that this process ever had resident, in bytes. On Linux from proc_pid_status(5): what getrusage(2) tells
 * begins at the peak of whoever started the process.
 */
export function peakBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1_024
  const kibibytes = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return Number(kibibytes) * 1_024
}
