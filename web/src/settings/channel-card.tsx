import { channelDefinitions, goneWithinMs, type Channel } from '@koko/contract'
import { useRef, useState } from 'preact/hooks'
import { Button } from './button.tsx'
import { Confirm } from './confirm.tsx'
import { changeFailure } from './failure.ts'
import { HelpLink } from './help-link.tsx'
import { isHeld, type StoredUnlink } from './known.ts'
import type { Page } from './page.ts'
import type { AgentStatus } from './status.tsx'
import { fill, strings } from './strings.ts'
import { moment } from './times.ts'

const { channels, dialogs, progress } = strings
type Question = 'unlink' | 'prevent' | 'relink'

interface ChannelCardProps {
  page: Page
  channel: Channel
  handle: string | undefined
  unlink: StoredUnlink | undefined
  status: AgentStatus
  /** True if this is the only listed channel. */
  isLast: boolean
  now: number
}

export function ChannelCard({ page, channel, handle, unlink, status, isLast, now }: ChannelCardProps) {
  // An open question stays the same when another tab changes what is stored: it must not become its opposite.
  const [asked, setAsked] = useState<{ question: Question; handle: string | undefined } | null>(null)
  /** The channel was allowed here, and its handle is not back yet. */
  const [isAllowed, setIsAllowed] = useState(false)
  /** The time of the unlink that was asked for here while the channel was not listed. */
  const preventedAtMs = useRef<number | null>(null)
  const { label, handleLabel, reveals } = channelDefinitions[channel]
  const names = { channel: label, handle: handleLabel }

  async function carryOut(question: Question) {
    if (question === 'relink') {
      await page.session.call('relinkChannel', { channel })
      page.acknowledge(channel, null)
    } else {
      const { unlinkedAtMs } = await page.session.call('unlinkChannel', { channel })
      if (question === 'prevent') preventedAtMs.current = unlinkedAtMs
      page.acknowledge(channel, { unlinkedAtMs, goneAtMs: null })
    }
  }

  function close(question: Question, isDone: boolean) {
    setAsked(null)
    if (isDone) setIsAllowed(question === 'relink')
  }

  const listedState = status === 'offline' ? 'offline' : 'listed'
  const unlistedState = status === 'unreadable' || status === 'unknown' ? status : 'unlisted'
  const state = unlink !== undefined ? 'unlinked' : handle !== undefined ? listedState : unlistedState
  const question = state === 'unlinked' ? 'relink' : state === 'unlisted' ? 'prevent' : 'unlink'
  const isPrevented = unlink !== undefined && (wasNotListed(unlink) || unlink.unlinkedAtMs === preventedAtMs.current)
  const note = isAllowed && unlink === undefined && handle === undefined ? dialogs.relink.done : ''
  return (
    <li class={`channel ${state}`}>
      <div>
        <h3 id={`channel-${channel}`}>{label}</h3>
        <p class={`state ${state}`}>{channels.states[state]}</p>
      </div>
      <div>
        {handle !== undefined && <p class="handle">{handle}</p>}
        <p class="note">{reveals}</p>
        {state === 'unlisted' && <p class="note">{fill(channels.noHandle, names)}</p>}
        {channel === 'whatsapp' && (
          <p class="note">
            <HelpLink text={strings.whatsappHelp.short} />
          </p>
        )}
        <Progress
          unlink={unlink}
          names={names}
          isListed={handle !== undefined}
          isPrevented={isPrevented}
          note={note}
          now={now}
        />
        <Button
          primary={question === 'unlink'}
          exposes={question === 'relink'}
          onClick={() => setAsked({ question, handle })}
        >
          {fill(question === 'relink' ? channels.relink : channels.unlink, names)}
        </Button>
      </div>
      {asked !== null && (
        <Confirm
          heading={<Heading text={fill(dialogs[asked.question].heading, names)} handle={asked.handle} />}
          words={dialogs[asked.question]}
          page={page}
          exposes={asked.question === 'relink'}
          isSettled={(asked.question === 'relink') === (unlink === undefined)}
          onConfirm={() => carryOut(asked.question)}
          onFailure={(error) => (page.endsWith(error) ? null : changeFailure(error))}
          onClose={(isDone) => close(asked.question, isDone)}
        >
          <p>{fill(dialogs[asked.question].body, names)}</p>
          {asked.question === 'unlink' && isLast && <p>{dialogs.last}</p>}
          {asked.question === 'unlink' && status === 'unreadable' && <p>{dialogs.unreadable}</p>}
          {asked.question === 'unlink' && <p>{dialogs.cannot}</p>}
        </Confirm>
      )}
    </li>
  )
}

/** A question that names the handle, where it is known. */
function Heading({ text, handle }: { text: string; handle: string | undefined }) {
  const [before = '', after = ''] = text.split(' {value}')
  return (
    <>
      {before}
      {handle !== undefined && <span class="value"> {handle}</span>}
      {after}
    </>
  )
}

/** The directory finishes an unlink at once if no listing and no shard holds the channel. */
function wasNotListed({ unlinkedAtMs, goneAtMs }: StoredUnlink): boolean {
  return goneAtMs !== null && goneAtMs <= unlinkedAtMs
}

interface ProgressProps {
  unlink: StoredUnlink | undefined
  names: Record<string, string>
  isListed: boolean
  isPrevented: boolean
  /** What to say where there is no unlink. */
  note: string
  now: number
}

/** How far an unlink is, from what is known. The live region above the steps announces each change once. */
function Progress({ unlink, names, isListed, isPrevented, note, now }: ProgressProps) {
  const steps = unlink === undefined || (isPrevented && !isListed) ? [] : stepsOf(unlink, isListed, now)
  const said = unlink === undefined ? note : steps.length === 0 ? progress.prevented : summaryOf(unlink, steps, now)
  return (
    <div class={said === '' ? '' : 'progress'}>
      <p class="said" role="status">
        {/* Preact inserts an empty text again with each render, and a screen reader would notice. */}
        {said !== '' && fill(said, { ...names, ...(unlink && { time: moment(unlink.unlinkedAtMs) }) })}
      </p>
      {steps.length > 0 && (
        <ol>
          {steps.map(({ isDone, text, atMs }, index) => (
            <li key={index} class={isDone ? 'done' : ''}>
              <span>
                <span class="unseen">{isDone ? progress.done : progress.open}</span>
                {text}
                {atMs !== null && <span class="when">{moment(atMs)}</span>}
              </span>
            </li>
          ))}
        </ol>
      )}
    </div>
  )
}

function stepsOf({ unlinkedAtMs, goneAtMs }: StoredUnlink, isListed: boolean, now: number) {
  const outAtMs = unlinkedAtMs + goneWithinMs
  return [
    isListed
      ? { isDone: false, text: progress.listing, atMs: null }
      : { isDone: true, text: progress.listingDone, atMs: unlinkedAtMs },
    { isDone: now >= outAtMs, text: progress.answers, atMs: outAtMs },
    { isDone: goneAtMs !== null, text: goneAtMs === null ? progress.shards : progress.shardsDone, atMs: goneAtMs },
  ]
}

function summaryOf(unlink: StoredUnlink, steps: readonly { isDone: boolean }[], now: number): string {
  const left = steps.filter(({ isDone }) => !isDone).length
  if (left === 0) return progress.gone
  if (left > 1 || steps.at(-1)?.isDone) return progress.underWay
  return isHeld(unlink, now) ? progress.held : progress.out
}
