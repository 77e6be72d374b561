import type { Channel, Unlinks } from '@koko/contract'
import { useState } from 'preact/hooks'
import { Confirm } from './confirm.tsx'
import { inWords } from './failure.ts'
import type { Session } from './session.ts'
import { fill, strings } from './strings.ts'
import { clockTime } from './words.ts'

/** After its acknowledgement an unlink may be in an answer for this long (the directory's second promise). */
const goneWithinMs = 10_000
/** The republish runs each minute; later than this, something holds it up, and the page says so. */
const usuallyGoneWithinMs = 3 * 60_000

/** What the button of a channel asks: to take back what is published, to keep out what is not, or to allow it again. */
type Question = 'unlink' | 'keepOut' | 'relink'

const dialogs = { unlink: strings.unlinkDialog, keepOut: strings.keepOutDialog, relink: strings.relinkDialog }

interface ChannelCardProps {
  session: Session
  channel: Channel
  handle: string | undefined
  unlink: Unlinks[Channel]
  status: 'online' | 'offline' | 'unlisted' | 'unreadable'
  /** Taking it back takes the agent out of the listing. */
  isLast: boolean
  now: number
  /** Looks again at what is stored. */
  onChanged: () => Promise<void>
  /** True where a failure says that the session is over. */
  endsWith: (error: unknown) => boolean
}

export function ChannelCard(props: ChannelCardProps) {
  const { session, channel, handle, unlink, status, isLast, now, onChanged, endsWith } = props
  // What was asked stays asked: meanwhile another tab may have done it, and the question must not turn into its opposite.
  const [asked, setAsked] = useState<Question | null>(null)
  const [note, setNote] = useState<{ of: Question; text: string } | null>(null)
  const name = { channel: strings.names[channel] }
  const isBack = unlink !== undefined

  async function carryOut(what: Question) {
    setNote(null)
    if (what === 'relink') {
      await session.call('relinkChannel', { channel })
      setNote({ of: what, text: fill(dialogs[what].done, name) })
    } else {
      const { unlinkedAtMs } = await session.call('unlinkChannel', { channel })
      setNote({ of: what, text: fill(dialogs[what].done, { ...name, time: clockTime(unlinkedAtMs) }) })
    }
    await onChanged()
  }

  const state = isBack
    ? 'back'
    : handle !== undefined
      ? status === 'online'
        ? 'shown'
        : 'offline'
      : status === 'unreadable'
        ? 'unknown'
        : 'none'
  const isNoteTrue = note !== null && (note.of !== 'relink' || (handle === undefined && !isBack))
  const question: Question = isBack ? 'relink' : state === 'none' ? 'keepOut' : 'unlink'
  return (
    <li class="channel">
      <div class="what">
        <h3 id={`channel-${channel}`}>{strings.names[channel]}</h3>
        <p class={`state ${state}`}>{strings.channels.states[state]}</p>
      </div>
      <div>
        {handle !== undefined && <p class="handle">{handle}</p>}
        <p class="note">{strings.givesAway[channel]}</p>
        {handle === undefined && status !== 'unreadable' && (
          <p class="note">{isBack ? strings.channels.noHandle : strings.channels.empty}</p>
        )}
        {unlink !== undefined && <Progress unlink={unlink} isListed={handle !== undefined} now={now} />}
        <p class="said" role="status">
          {isNoteTrue && note.text}
        </p>
        <button
          class={question === 'unlink' ? 'button danger' : 'button'}
          type="button"
          onClick={() => setAsked(question)}
        >
          {fill(strings.channels[question], name)}
        </button>
      </div>
      {asked !== null && (
        <Confirm
          heading={fill(dialogs[asked].heading, name)}
          confirm={dialogs[asked].confirm}
          working={dialogs[asked].working}
          cancel={dialogs[asked].cancel}
          isDanger={asked === 'unlink'}
          onConfirm={() => carryOut(asked)}
          onFailure={(error) => (endsWith(error) ? null : inWords(error))}
          onClose={() => setAsked(null)}
        >
          <p>{fill(dialogs[asked].what, name)}</p>
          {asked === 'unlink' && isLast && <p>{strings.unlinkDialog.last}</p>}
          {asked === 'unlink' && <p>{strings.unlinkDialog.cannot}</p>}
        </Confirm>
      )}
    </li>
  )
}

interface ProgressProps {
  unlink: { unlinkedAtMs: number; goneAtMs: number | null }
  isListed: boolean
  now: number
}

/** Where an unlink stands, from what is stored. A screen reader hears each step once. */
function Progress({ unlink, isListed, now }: ProgressProps) {
  const { unlinkedAtMs, goneAtMs } = unlink
  const outAtMs = unlinkedAtMs + goneWithinMs
  const isOut = now >= outAtMs
  const isGone = goneAtMs !== null
  const words = strings.progress
  const steps = [
    { isDone: !isListed, text: isListed ? words.listing : fill(words.listingDone, { time: clockTime(unlinkedAtMs) }) },
    { isDone: isOut, text: fill(isOut ? words.answersDone : words.answers, { time: clockTime(outAtMs) }) },
    { isDone: isGone, text: isGone ? fill(words.shardsDone, { time: clockTime(goneAtMs) }) : words.shards },
  ]
  const reached = steps.every(({ isDone }) => isDone)
    ? words.gone
    : isOut && !isListed
      ? now >= unlinkedAtMs + usuallyGoneWithinMs
        ? words.held
        : words.out
      : words.underWay
  return (
    <div class="progress">
      <p role="status">{reached}</p>
      <ol>
        {steps.map(({ isDone, text }, index) => (
          <li key={index} class={isDone ? 'done' : ''}>
            <span class="unseen">{isDone ? words.done : words.open}</span>
            {text}
          </li>
        ))}
      </ol>
    </div>
  )
}
