import { Channel } from '@koko/contract'
import { useRef } from 'preact/hooks'
import { ChannelCard } from './channel-card.tsx'
import type { Known } from './known.ts'
import type { Page } from './page.ts'
import type { AgentStatus } from './status.tsx'
import { strings } from './strings.ts'
import { UnlinkAll } from './unlink-all.tsx'

interface ChannelsProps {
  page: Page
  known: Known
  status: AgentStatus
  now: number
}

/** The four channels, listed or not, and the control that unlinks them all. */
export function Channels({ page, known, status, now }: ChannelsProps) {
  const { listing, unlinks } = known
  const heading = useRef<HTMLHeadingElement>(null)
  const handles = listing.state === 'readable' ? listing.value.channels : {}
  const listed = Channel.options.filter((channel) => handles[channel] !== undefined)
  return (
    <section aria-labelledby="channels">
      <h2 id="channels" ref={heading} tabIndex={-1}>
        {strings.channels.heading}
      </h2>
      <p>{strings.channels.intro}</p>
      <UnlinkAll
        page={page}
        handles={handles}
        left={Channel.options.filter((channel) => unlinks[channel] === undefined || handles[channel] !== undefined)}
        onDone={() => heading.current?.focus()}
      />
      <ul class="channels">
        {Channel.options.map((channel) => (
          <ChannelCard
            key={channel}
            page={page}
            channel={channel}
            handle={handles[channel]}
            unlink={unlinks[channel]}
            status={status}
            isLast={listed.length === 1 && listed[0] === channel}
            now={now}
          />
        ))}
      </ul>
    </section>
  )
}
