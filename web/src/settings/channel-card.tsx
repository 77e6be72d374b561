import { channelDefinitions, goneWithinMs, minuteMs, type Channel, type Unlinks } from '@koko/contract'
import { useState } from 'preact/hooks'
import { Confirm } from './confirm.tsx'
import { changeFailure } from './failure.ts'
import type { Session } from './session.ts'
import { fill, strings, usuallyGoneWithinMs } from './strings.ts'
import { clockTime } from './times.ts'

const { channels, dialogs, progress } = strings
type Unlink = NonNullable<Unlinks[Channel]>

interface ChannelCardProps {
  session: Session
  channel: Channel
  handle: string | undefined
  unlink: Unlink | undefined
  status: 'online' | 'offline' | 'unlisted' | 'unreadable'
  /** True if this is the only listed channel. */
  isLast: boolean
  now: number
  /** Reads again what is stored. */
  onChanged: () => Promise<void>
  endsWith: (error: unknown) => boolean
}

export function ChannelCard(props: ChannelCardProps) {
  const { session, channel, handle, unlink, status, isLast, now, onChanged, endsWith } = props
  // An open question stays the same when another tab changes what is stored: it must not become its opposite.
  const [asked, setAsked] = useState<'unlink' | 'prevent' | 'relink' | null>(null)
  const [note, setNote] = useState({ isRelink: false, text: '' })
  const { label, handleLabel, reveals } = channelDefinitions[channel]
  const names = { channel: label, handle: handleLabel }

  async function carryOut(question: 'unlink' | 'prevent' | 'relink') {
    setNote({ isRelink: false, text: '' })
    if (question === 'relink') {
      await session.call('relinkChannel', { channel })
      setNote({ isRelink: true, text: fill(dialogs.relink.done, names) })
    } else {
      const { unlinkedAtMs } = await session.call('unlinkChannel', { channel })
      setNote({ isRelink: false, text: fill(dialogs[question].done, { ...names, time: clockTime(unlinkedAtMs) }) })
    }
    await onChanged()
  }

  const isNoteOver = note.isRelink && handle !== undefined
  const listedState = status === 'offline' ? 'offline' : 'listed'
  const unlistedState = status === 'unreadable' ? 'unreadable' : 'unlisted'
  const state = unlink !== undefined ? 'unlinked' : handle !== undefined ? listedState : unlistedState
  const question = state === 'unlinked' ? 'relink' : state === 'unlisted' ? 'prevent' : 'unlink'
  return (
    <li class="channel">
      <div>
        <h3 id={`channel-${channel}`}>{label}</h3>
        <p class={`state ${state}`}>{channels.states[state]}</p>
      </div>
      <div>
        {handle !== undefined && <p class="handle">{handle}</p>}
        <p class="note">{reveals}</p>
        {handle === undefined && status !== 'unreadable' && <p class="note">{fill(channels.noHandle, names)}</p>}
        <Progress
          unlink={unlink}
          names={names}
          isListed={handle !== undefined}
          note={isNoteOver ? '' : note.text}
          now={now}
        />
        <button
          class={question === 'unlink' ? 'button danger' : 'button'}
          type="button"
          onClick={() => setAsked(question)}
        >
          {fill(question === 'relink' ? channels.relink : channels.unlink, names)}
        </button>
      </div>
      {asked !== null && (
        <Confirm
          heading={fill(dialogs[asked].heading, names)}
          words={dialogs[asked]}
          isDanger={asked === 'unlink'}
          onConfirm={() => carryOut(asked)}
          onFailure={(error) => (endsWith(error) ? null : changeFailure(error))}
          onClose={() => setAsked(null)}
        >
          <p>{fill(dialogs[asked].body, names)}</p>
          {asked === 'unlink' && isLast && <p>{dialogs.last}</p>}
          {asked === 'unlink' && status === 'unreadable' && <p>{dialogs.unreadable}</p>}
          {asked === 'unlink' && <p>{dialogs.cannot}</p>}
        </Confirm>
      )}
    </li>
  )
}

interface ProgressProps {
  unlink: Unlink | undefined
  names: Record<string, string>
  isListed: boolean
  /** The last change made here, until what is stored shows it. */
  note: string
  now: number
}

/** How far an unlink is, from what is stored. The live region above the steps announces each change once. */
function Progress({ unlink, names, isListed, note, now }: ProgressProps) {
  const steps = unlink === undefined ? [] : stepsOf(unlink, isListed, now)
  return (
    <div class={unlink === undefined ? '' : 'progress'}>
      <p class="said" role="status">
        {/* Preact inserts an empty text again with each render, and a screen reader would notice. */}
        {unlink === undefined ? note !== '' && note : fill(summaryOf(unlink, steps, now), names)}
      </p>
      {unlink !== undefined && (
        <ol>
          {steps.map(({ isDone, text }, index) => (
            <li key={index} class={isDone ? 'done' : ''}>
              <span class="unseen">{isDone ? progress.done : progress.open}</span>
              {text}
            </li>
          ))}
        </ol>
      )}
    </div>
  )
}

function stepsOf({ unlinkedAtMs, goneAtMs }: Unlink, isListed: boolean, now: number) {
  const outAtMs = unlinkedAtMs + goneWithinMs
  const step = (isDone: boolean, text: string, ms: number | null) => ({
    isDone,
    text: fill(text, ms === null ? {} : { time: clockTime(ms) }),
  })
  return [
    step(!isListed, isListed ? progress.listing : progress.listingDone, unlinkedAtMs),
    step(now >= outAtMs, progress.answers, outAtMs),
    step(goneAtMs !== null, goneAtMs === null ? progress.shards : progress.shardsDone, goneAtMs),
  ]
}

function summaryOf({ unlinkedAtMs }: Unlink, steps: readonly { isDone: boolean }[], now: number): string {
  const left = steps.filter(({ isDone }) => !isDone).length
  if (left === 0) return progress.gone
  if (left > 1 || steps.at(-1)?.isDone) return progress.underWay
  // One republish later than usual.
  return now >= unlinkedAtMs + usuallyGoneWithinMs + minuteMs ? progress.held : progress.out
}
