import * as z from 'zod'
import { renderUnicodeCompact } from 'uqr'
import { UserError } from '../errors.ts'
import { defineCommand } from './define-command.ts'
import type { Context } from '../context.ts'
import { openDirectory } from '../directory/session.ts'
import { isLoopback } from '../directory/network.ts'
import { isoTime, type Style } from '../output.ts'

const Options = z.strictObject({ open: z.boolean().default(true) })

export interface SettingsLink {
  /** Good once, for ten minutes; it voids the last. Who has it is the operator. */
  url: string
  expiresAtMs: number
  /** Whether a browser was asked to show it. */
  opened: boolean
}

export const command = defineCommand({ options: Options, run: openSettings, show })

/** Makes a link to the settings page, and opens it. */
export async function openSettings(context: Context, { open }: z.output<typeof Options>): Promise<SettingsLink> {
  const { client } = await openDirectory(context)
  const { url: given, expiresAtMs } = await client.call('createSettingsLink', {})
  const url = pageOf(given)
  // It is given to the system to open, which would start anything that a scheme stands for.
  if (url === undefined) {
    throw new UserError('The directory gave a settings link that is no web page.', 'Tell its host. It was not opened.')
  }
  return { url, expiresAtMs, opened: open && (await context.openPage(url)) }
}

/** The address as an URL writes it, with nothing that a terminal would act on; undefined for what is no web page. */
function pageOf(given: string): string | undefined {
  if (!URL.canParse(given)) return undefined
  const { protocol, hostname, href } = new URL(given)
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)) ? href : undefined
}

function show({ url, expiresAtMs, opened }: SettingsLink, style: Style): string {
  return [
    opened ? `${style.good('✓')} Opened in your browser.` : 'Open this in a browser:',
    '',
    style.bold(url),
    '',
    renderUnicodeCompact(url, { border: 2 }),
    '',
    `It works once, until ${isoTime(expiresAtMs)}. A new link voids it. Do not pass it on: it opens your settings.`,
  ].join('\n')
}
