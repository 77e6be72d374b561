import type { Context } from '../context.ts'
import { isLoopback } from '../directory/network.ts'
import { openDirectory } from '../directory/session.ts'
import { UserError } from '../errors.ts'

export interface SettingsLink {
  /** Works once, for ten minutes, and voids the link before. Whoever holds it acts as the operator. */
  url: string
  expiresAtMs: number
  /** Whether a browser was asked to show it. */
  opened: boolean
}

/** Makes a link to the settings page, and opens it. */
export async function openSettings(context: Context, { open }: { open: boolean }): Promise<SettingsLink> {
  const { client } = await openDirectory(context)
  const { url: given, expiresAtMs } = await client.call('createSettingsLink', {})
  const url = pageOf(given)
  // The system opens the address, and starts whatever program its scheme names.
  if (url === undefined) {
    throw new UserError('The directory gave a settings link that is no web page.', 'Tell its host. It was not opened.')
  }
  return { url, expiresAtMs, opened: open && (await context.openPage(url)) }
}

/** The address as a URL, without control characters; undefined where it is not a web page. */
function pageOf(given: string): string | undefined {
  if (!URL.canParse(given)) return undefined
  const { protocol, hostname, href } = new URL(given)
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)) ? href : undefined
}
