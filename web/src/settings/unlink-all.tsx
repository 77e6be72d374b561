import { channelDefinitions, type Channel, type Channels } from '@koko/contract'
import { useEffect, useState } from 'preact/hooks'
import { Button } from './button.tsx'
import { Confirm } from './confirm.tsx'
import { changeFailure } from './failure.ts'
import type { Page } from './page.ts'
import { fill, strings } from './strings.ts'
import { timeoutMs } from './timeout.ts'
import { formatList } from './times.ts'

const words = strings.dialogs.all
const labelOf = (channel: Channel) => channelDefinitions[channel].label

interface UnlinkAllProps {
  page: Page
  handles: Partial<Channels>
  /** The channels that are not unlinked. */
  left: Channel[]
  /** All are unlinked. The button is gone, so the focus needs another place. */
  onDone: () => void
}

/** Unlinks every channel after one question. Each is acknowledged separately, so it can succeed in part. */
export function UnlinkAll({ page, handles, left, onDone }: UnlinkAllProps) {
  const [isAsked, setIsAsked] = useState(false)
  const [asked, setAsked] = useState<readonly Channel[]>([])
  const [isDone, setIsDone] = useState(false)
  const isFinished = isDone && left.length === 0

  useEffect(() => {
    if (isFinished && document.activeElement === document.body) onDone()
  }, [isFinished])

  const isShown = (channel: Channel) => handles[channel] !== undefined
  const named = (channels: readonly Channel[]) =>
    formatList(channels.map((channel) => [labelOf(channel), handles[channel]].filter(Boolean).join(' ')))

  /** What is visible first, and of that what reveals the most. */
  const rankOf = (channel: Channel) => (isShown(channel) ? 100 : 0) + channelDefinitions[channel].privacyRank

  async function unlinkAll() {
    const beganMs = page.session.nowMs()
    const failures: unknown[] = []
    setAsked(left)
    for (const channel of left.toSorted((one, other) => rankOf(other) - rankOf(one))) {
      try {
        const { unlinkedAtMs } = await page.session.call('unlinkChannel', { channel })
        page.acknowledge(channel, { unlinkedAtMs, goneAtMs: null })
      } catch (error) {
        // The others are still worth trying, unless nobody answers.
        failures.push(error)
        if (page.endsWith(error) || page.session.nowMs() - beganMs >= timeoutMs) break
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  function close(hasSucceeded: boolean) {
    setIsAsked(false)
    setIsDone(hasSucceeded)
  }

  const visible = left.filter(isShown)
  const others = left.filter((channel) => !isShown(channel))
  const done = asked.filter((channel) => !left.includes(channel))
  return (
    <>
      {(left.length > 0 || isAsked) && (
        <div>
          <Button onClick={() => setIsAsked(true)}>{strings.channels.unlinkAll}</Button>
        </div>
      )}
      <p class="said" role="status">
        {isFinished && words.done}
      </p>
      {isAsked && (
        <Confirm
          heading={words.heading}
          words={words}
          page={page}
          isSettled={left.length === 0}
          onConfirm={unlinkAll}
          onFailure={(error) => (page.endsWith(error) ? null : changeFailure(error))}
          failureDetail={
            <>
              {done.length > 0 && <p>{fill(words.unlinked, { channels: named(done) })}</p>}
              {visible.length > 0 && <p>{fill(words.visibleStill, { channels: named(visible) })}</p>}
              {others.length > 0 && <p>{fill(words.openStill, { channels: named(others) })}</p>}
            </>
          }
          onClose={close}
        >
          {visible.length > 0 && (
            <>
              <p>{words.visible}</p>
              <ul class="handles">
                {visible.map((channel) => (
                  <li key={channel}>
                    {labelOf(channel)} <strong class="value">{handles[channel]}</strong>
                  </li>
                ))}
              </ul>
            </>
          )}
          {others.length > 0 && <p>{fill(words.blocked, { channels: named(others) })}</p>}
          {visible.length > 0 && <p>{words.body}</p>}
          {visible.length > 0 && <p>{strings.dialogs.cannot}</p>}
        </Confirm>
      )}
    </>
  )
}
