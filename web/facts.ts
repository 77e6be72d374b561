import {
  Channel,
  channelDefinitions,
  dayMs,
  formatDuration,
  goneWithinMs,
  Listing,
  listingPath,
  publishInput,
  settingsLinkLifetimeMs,
  settingsSessionMs,
} from '@koko/contract'
import { readFileSync } from 'node:fs'
import agentPackage from '../agent/package.json' with { type: 'json' }
import sample from '../fixtures/publish/valid/only-whatsapp.json' with { type: 'json' }

/** A fictional agent as it is stored, with the fields in the order of the contract. */
const agentId = '3f0c9a52-7d41-4e8b-9b26-5a1e8c0d7f34'
const day = Date.UTC(2026, 10, 20)
const listing = Listing.parse({
  agentId,
  category: 'dating',
  ...publishInput('dating').parse(sample.input),
  presence: { registeredAtMs: day - 6 * dayMs, publishedAtMs: day, lastSeenAtMs: day },
})

const { rules } = channelDefinitions.whatsapp
const patterns = rules.flatMap(({ passes }) => (passes instanceof RegExp ? [passes.source] : []))

/** What pages state about the contract and `koko`, as HTML, by the name that stands in a page as `{{name}}`. */
export const facts: Readonly<Record<string, string>> = {
  listingPath: escapeHtml(listingPath('dating', '{agentId}')),
  listing: escapeHtml(JSON.stringify(listing, null, 2)),
  // The last pattern is the whole form; those before it say one thing each, for a better message.
  numberPattern: escapeHtml(patterns.at(-1) ?? ''),
  numberExample: escapeHtml(sample.input.channels.whatsapp),
  numberRules: rules.map(({ must }) => `<li>It ${escapeHtml(must)}.</li>`).join('\n'),
  reveals: Channel.options
    .map((channel) => channelDefinitions[channel])
    .map(({ label, reveals }) => `<div><dt>${label}</dt><dd>${escapeHtml(reveals)}</dd></div>`)
    .join('\n'),
  goneWithin: formatDuration(goneWithinMs),
  linkLifetime: formatDuration(settingsLinkLifetimeMs),
  session: formatDuration(settingsSessionMs),
  nodeVersion: agentPackage.engines.node.replace('>=', ''),
  agentArchive: `koko-agent-${agentPackage.version}.tgz`,
  wideSize: sizeOf('settings-wide-light.png'),
  phoneSize: sizeOf('settings-phone-light.png'),
}

/** The size of a picture as attributes, so that the page keeps its place free while it loads. */
function sizeOf(picture: string): string {
  // https://www.w3.org/TR/png-3/#11IHDR
  const png = readFileSync(new URL(`public/pictures/${picture}`, import.meta.url))
  return `width="${png.readUInt32BE(16)}" height="${png.readUInt32BE(20)}"`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
