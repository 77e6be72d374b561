import type { Context } from '../context.ts'
import { isLoopback } from '../directory/network.ts'
import { openDirectory } from '../directory/session.ts'
import { UserError } from '../errors.ts'

export interface SettingsLink {
  /** Good once, for ten minutes; it voids the last. Who has it is the operator. */
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
