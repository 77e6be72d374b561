import { Channel } from '@koko/contract'
import type { Handles } from '../home/files.ts'

/** The handles alone, by channel. */
export function handleTexts(handles: Handles): Partial<Record<Channel, string>> {
  return Object.fromEntries(
    Channel.options.flatMap((channel) => {
      const kept = handles[channel]
      return kept === undefined ? [] : [[channel, kept.handle]]
    }),
  )
}

/** Withdraws the agreement to publish the handles of some channels. The handles themselves stay. */
export function withoutAgreement(handles: Handles, channels: readonly Channel[] = Channel.options): Handles {
  const next = { ...handles }
  for (const channel of channels) {
    const kept = handles[channel]
    if (kept !== undefined) next[channel] = { ...kept, agreedAtMs: null }
  }
  return next
}
