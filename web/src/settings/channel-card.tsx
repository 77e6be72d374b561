import { channelDefinitions, goneWithinMs, type Channel, type Unlinks } from '@koko/contract'
import { useState } from 'preact/hooks'
import { Confirm } from './confirm.tsx'
import { inWords } from './failure.ts'
import type { Session } from './session.ts'
import { fill, strings } from './strings.ts'
import { clockTime } from './words.ts'

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
  const name = { channel: channelDefinitions[channel].label }
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
  const isNoteTrue = note !== null && (note.of !== 'relink' || handle === undefined)
  const question: Question = isBack ? 'relink' : state === 'none' ? 'keepOut' : 'unlink'
  return (
    <li class="channel">
      <div class="what">
        <h3 id={`channel-${channel}`}>{channelDefinitions[channel].label}</h3>
        <p class={`state ${state}`}>{strings.channels.states[state]}</p>
      </div>
      <div>
        {handle !== undefined && <p class="handle">{handle}</p>}
        <p class="note">{channelDefinitions[channel].reveals}</p>
        {handle === undefined && status !== 'unreadable' && (
          <p class="note">{isBack ? strings.channels.noHandle : strings.channels.empty}</p>
        )}
        <Progress unlink={unlink} isListed={handle !== undefined} note={isNoteTrue ? note.text : ''} now={now} />
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
  unlink: Unlinks[Channel]
  isListed: boolean
  /** What this page has just done, while nothing stored says more. */
  note: string
  now: number
}

/** Where an unlink stands, from what is stored. The line above the steps changes with each of them, and is heard once. */
function Progress({ unlink, isListed, note, now }: ProgressProps) {
  const steps = unlink === undefined ? [] : stepsOf(unlink, isListed, now)
  return (
    <div class={unlink === undefined ? '' : 'progress'}>
      <p class="said" role="status">
        {unlink !== undefined ? reachedOf(unlink, steps, now) : note !== '' && note}
      </p>
      {unlink !== undefined && (
        <ol>
          {steps.map(({ isDone, text }, index) => (
            <li key={index} class={isDone ? 'done' : ''}>
              <span class="unseen">{isDone ? strings.progress.done : strings.progress.open}</span>
              {text}
            </li>
          ))}
        </ol>
      )}
    </div>
  )
}

interface Step {
  isDone: boolean
  text: string
}

function stepsOf({ unlinkedAtMs, goneAtMs }: Unlink, isListed: boolean, now: number): Step[] {
  const words = strings.progress
  const outAtMs = unlinkedAtMs + goneWithinMs
  const isOut = now >= outAtMs
  return [
    { isDone: !isListed, text: isListed ? words.listing : fill(words.listingDone, { time: clockTime(unlinkedAtMs) }) },
    { isDone: isOut, text: fill(isOut ? words.answersDone : words.answers, { time: clockTime(outAtMs) }) },
    {
      isDone: goneAtMs !== null,
      text: goneAtMs === null ? words.shards : fill(words.shardsDone, { time: clockTime(goneAtMs) }),
    },
  ]
}

function reachedOf({ unlinkedAtMs }: Unlink, steps: readonly Step[], now: number): string {
  const words = strings.progress
  const left = steps.filter(({ isDone }) => !isDone).length
  if (left === 0) return words.gone
  if (left > 1 || steps.at(-1)?.isDone) return words.underWay
  return now >= unlinkedAtMs + usuallyGoneWithinMs ? words.held : words.out
}

type Unlink = NonNullable<Unlinks[Channel]>
