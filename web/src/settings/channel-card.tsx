import type { Channel, Unlinks } from '@koko/contract'
import { useState } from 'preact/hooks'
import { Confirm } from './confirm.tsx'
import { inWords, isOver } from './failure.ts'
import type { Session } from './session.ts'
import { fill, strings } from './strings.ts'
import { clockTime } from './words.ts'

/** After its acknowledgement an unlink may be in an answer for this long (the directory's second promise). */
const goneWithinMs = 10_000

interface ChannelCardProps {
  session: Session
  channel: Channel
  handle: string | undefined
  unlink: Unlinks[Channel]
  isOnline: boolean
  /** Taking it back takes the agent out of the listing. */
  isLast: boolean
  isListingUnreadable: boolean
  now: number
  /** What is stored has changed. */
  onChanged: () => void
  onOver: () => void
}

export function ChannelCard(props: ChannelCardProps) {
  const { session, channel, handle, unlink, isOnline, isLast, isListingUnreadable, now, onChanged, onOver } = props
  const [asking, setAsking] = useState(false)
  const [note, setNote] = useState('')
  const name = { channel: strings.names[channel] }
  const isBack = unlink !== undefined
  const words = isBack ? strings.relinkDialog : strings.unlinkDialog

  async function change() {
    setNote('')
    if (isBack) {
      await session.call('relinkChannel', { channel })
      setNote(fill(strings.relinkDialog.done, name))
    } else {
      await session.call('unlinkChannel', { channel })
    }
    onChanged()
  }

  return (
    <article class="card" aria-labelledby={`channel-${channel}`}>
      <div class="row apart">
        <h3 id={`channel-${channel}`}>{strings.names[channel]}</h3>
        {isBack ? (
          <span class="state back">{strings.channels.back}</span>
        ) : handle === undefined ? (
          <span class="state">{strings.channels.none}</span>
        ) : (
          <span class="state shown">{isOnline ? strings.channels.shown : strings.channels.listedOffline}</span>
        )}
      </div>
      {handle !== undefined && <p class="handle">{handle}</p>}
      <p class="note">{strings.givesAway[channel]}</p>
      {handle === undefined && !isListingUnreadable && (
        <p class="note">{isBack ? strings.channels.noHandle : strings.channels.empty}</p>
      )}
      {unlink !== undefined && <Progress unlink={unlink} isListed={handle !== undefined} now={now} />}
      <div role="status">{note !== '' && <p>{note}</p>}</div>
      <button class={isBack ? 'button' : 'button danger'} type="button" onClick={() => setAsking(true)}>
        {fill(isBack ? strings.channels.relink : strings.channels.unlink, name)}
      </button>
      {asking && (
        <Confirm
          heading={fill(words.heading, name)}
          confirm={words.confirm}
          working={words.working}
          cancel={words.cancel}
          isDanger={!isBack}
          onConfirm={change}
          onFailure={(error) => {
            if (!isOver(error)) return inWords(error)
            onOver()
            return null
          }}
          onClose={() => setAsking(false)}
        >
          <p>{words.what}</p>
          {!isBack && isLast && <p>{strings.unlinkDialog.last}</p>}
          {!isBack && handle !== undefined && <p class="note">{strings.unlinkDialog.cannot}</p>}
        </Confirm>
      )}
    </article>
  )
}

/** Where an unlink stands, from what is stored. */
function Progress({
  unlink,
  isListed,
  now,
}: {
  unlink: { unlinkedAtMs: number; goneAtMs: number | null }
  isListed: boolean
  now: number
}) {
  const { unlinkedAtMs, goneAtMs } = unlink
  const outAtMs = unlinkedAtMs + goneWithinMs
  const isOut = now >= outAtMs
  return (
    <>
      <ul class="progress">
        <li class={isListed ? '' : 'done'}>
          {isListed ? strings.progress.listing : fill(strings.progress.listingAt, { time: clockTime(unlinkedAtMs) })}
        </li>
        <li class={isOut ? 'done' : ''}>
          {fill(isOut ? strings.progress.answersDone : strings.progress.answers, { time: clockTime(outAtMs) })}
        </li>
        <li class={goneAtMs === null ? '' : 'done'}>
          {goneAtMs === null
            ? strings.progress.shards
            : fill(strings.progress.shardsDone, { time: clockTime(goneAtMs) })}
        </li>
      </ul>
      <p role="status">{!isListed && isOut && goneAtMs !== null && strings.progress.gone}</p>
    </>
  )
}
