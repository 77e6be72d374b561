import { dayMs } from '@koko/contract'

/** An address that nobody has, for a site that is not deployed. */
const exampleContact = 'reports@koko.example'

const email = /^[\w.+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+$/i
const page = /^https:\/\/[a-z0-9.-]+(:\d+)?(\/[\w./~%-]*)?$/i

/** Whether this is what the pages can show: an email address, or the https address of a page. */
export function isContact(text: string): boolean {
  return email.test(text) || page.test(text)
}

/** Where people reach the host of this site. */
export interface Site {
  contact: string
  /** Nobody has given a contact: this site is for trying things out. */
  isExample: boolean
  /** Where the site will be; null if that is not known. */
  origin: string | null
}

/** Reads `KOKO_CONTACT` and `KOKO_WEB_ORIGIN`, which `npm run deploy` sets. */
export function readSite(env: Readonly<Record<string, string | undefined>>): Site {
  const { KOKO_CONTACT: contact = '', KOKO_WEB_ORIGIN: origin = '' } = env
  if (contact !== '' && !isContact(contact)) {
    throw new Error('KOKO_CONTACT must be an email address or the https address of a page')
  }
  return { contact: contact || exampleContact, isExample: contact === '', origin: origin || null }
}

/** The contact as a link, for the pages' `<!--contact-->`. */
export function contactLink({ contact, isExample }: Site): string {
  const href = email.test(contact) ? `mailto:${contact}` : contact
  const link = `<a href="${href}">${contact}</a>`
  return isExample ? `<span class="adapt">${link} (an example: this site has no host)</span>` : link
}

/** A file that nobody renews should end: RFC 9116 recommends less than a year. */
const validDays = 180

/**
 * The site's `security.txt` (RFC 9116). It expires at the beginning of a UTC month, so that builds of one month are the
 * same.
 */
export function securityTxt({ contact, origin }: Site, now: Date): string {
  const built = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth()))
  const ends = new Date(built.getTime() + validDays * dayMs)
  const expires = new Date(Date.UTC(ends.getUTCFullYear(), ends.getUTCMonth()))
  return [
    `Contact: ${email.test(contact) ? `mailto:${contact}` : contact}`,
    `Expires: ${expires.toISOString()}`,
    'Preferred-Languages: en',
    ...(origin === null ? [] : [`Canonical: ${origin}/.well-known/security.txt`]),
    '',
  ].join('\n')
}
