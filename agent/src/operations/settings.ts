import type { Context } from '../context.ts'
import { isLoopback } from '../directory/network.ts'
import { openDirectory } from '../directory/session.ts'
import { UserError } from '../errors.ts'

export interface SettingsLink {
  /** Works once, for ten minutes, and voids the link before. Its holder acts as the operator. */
  url: string
  expiresAtMs: number
  opened: boolean
}

/** Makes a link to the settings page, and opens it. */
export async function openSettings(context: Context, { open }: { open: boolean }): Promise<SettingsLink> {
  const { client } = await openDirectory(context)
  const { url: given, expiresAtMs } = await client.call('createSettingsLink', {})
  const url = pageOf(given)
  // The system starts whatever program the scheme of an address names.
  if (url === undefined) {
    throw new UserError('The settings link of the directory is not a web page, and was not opened.', 'Ask its host.')
  }
  return { url, expiresAtMs, opened: open && (await context.openPage(url)) }
}

/** The address as a URL, without control characters; undefined where it is not a web page. */
function pageOf(given: string): string | undefined {
  if (!URL.canParse(given)) return undefined
  const { protocol, hostname, href } = new URL(given)
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)) ? href : undefined
}
