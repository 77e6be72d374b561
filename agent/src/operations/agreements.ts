import { Channel } from '@koko/contract'
import type { Handles } from '../home/files.ts'

/** The handles without their agreement. */
export function handleTexts(handles: Handles): Partial<Record<Channel, string>> {
  return Object.fromEntries(
    Object.entries(handles).flatMap(([channel, kept]) => (kept === undefined ? [] : [[channel, kept.handle]])),
  )
}

/** Withdraws the agreement to publish the handles of these channels. The handles stay. */
export function withoutAgreement(handles: Handles, channels: readonly Channel[] = Channel.options): Handles {
  const next = { ...handles }
  for (const channel of channels) {
    const kept = handles[channel]
    if (kept !== undefined) next[channel] = { ...kept, agreedAtMs: null }
  }
  return next
}
