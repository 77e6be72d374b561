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
  const { agent, client } = await openDirectory(context)
  const { url: given, expiresAtMs } = await client.call('createSettingsLink', {})
  const url = pageOf(given)
  // The system starts whatever program the scheme of an address names.
  if (url === undefined) {
    throw new UserError(
      'The directory sent a settings link that is not a web address, so koko did not open it.',
      'Ask the host of the directory.',
    )
  }
  if (!isOfDirectory(url, new URL(agent.origin))) {
    throw new UserError(
      `The directory sent a settings link that does not lead to ${agent.origin}, so koko did not open it.`,
      'Ask the host of the directory.',
    )
  }
  const { href } = url
  return { url: href, expiresAtMs, opened: open && (await context.openPage(href)) }
}

/** The address as a URL, whose text has no control characters; undefined where it is not a web page. */
function pageOf(given: string): URL | undefined {
  if (!URL.canParse(given)) return undefined
  const url = new URL(given)
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)) ? url : undefined
}

/** This machine has several names: an agent that registered at `localhost` gets a link to 127.0.0.1. */
function isOfDirectory(url: URL, directory: URL): boolean {
  if (url.origin === directory.origin) return true
  const isThisMachine = isLoopback(url.hostname) && isLoopback(directory.hostname)
  return isThisMachine && url.protocol === directory.protocol && url.port === directory.port
}
