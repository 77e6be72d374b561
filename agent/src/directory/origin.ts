import { DirectoryError, type Config } from '@koko/contract'
import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import { anyoneAt } from './session.ts'
import { isLoopback } from './network.ts'

/**
 * The origin of a directory from what an operator types: with or without the scheme, a path or a slash at its end. The
 * secret travels there, so that it must be HTTPS, except on this machine itself.
 */
export function originOf(typed: string): { origin: string } | { problem: string } {
  const text = typed.trim()
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
    ? text
    : `${isLoopbackText(text) ? 'http' : 'https'}://${text}`
  if (text === '' || !URL.canParse(withScheme))
    return { problem: 'must be an address, such as https://example.web.app' }
  const { protocol, hostname, username, password, origin } = new URL(withScheme)
  if (protocol !== 'https:' && protocol !== 'http:') return { problem: 'must begin with https://' }
  if (username !== '' || password !== '') return { problem: 'must not hold a user name or a password' }
  if (protocol === 'http:' && !isLoopback(hostname)) {
    return {
      problem: 'must begin with https://, because the secret would travel in the clear; http is for this machine',
    }
  }
  return { origin }
}

/** The same, or `UserError`. */
export function requireOrigin(typed: string): string {
  const parsed = originOf(typed)
  if ('origin' in parsed) return parsed.origin
  throw new UserError(`The directory ${parsed.problem}.`, 'Give it by --directory or KOKO_DIRECTORY.')
}

/** Asks for the directory, or takes it from the option or from `KOKO_DIRECTORY`. */
export async function chooseOrigin(context: Context, option: string | undefined, initial?: string): Promise<string> {
  if (option !== undefined) return requireOrigin(option)
  const known = [initial, context.env.KOKO_DIRECTORY].find((each) => each !== undefined && each !== '')
  if (context.ask === undefined) {
    if (known !== undefined) return requireOrigin(known)
    throw new UserError('No directory is named.', 'Give --directory <url>, or set KOKO_DIRECTORY.')
  }
  const typed = await context.ask.text({
    message: 'Which directory?',
    placeholder: 'https://example.web.app',
    ...(known === undefined ? {} : { initial: known }),
    validate(answer) {
      const parsed = originOf(answer)
      return 'problem' in parsed ? `It ${parsed.problem}.` : undefined
    },
  })
  return requireOrigin(typed)
}

/** What the directory at an origin says of itself. Throws `UserError` where there is none. */
export async function configAt(context: Context, origin: string): Promise<Config> {
  const config = await anyoneAt(context, origin)
    .config()
    .catch((cause: unknown) => {
      if (!(cause instanceof DirectoryError) || context.signal.aborted) throw cause
      if (cause.code === 'unavailable') {
        throw new UserError(`${origin} cannot be reached.`, 'Check the address and your network, then try again.', {
          cause,
        })
      }
      if (cause.code === 'resource-exhausted' || cause.code === 'aborted') throw cause
      throw new UserError(`There is no Koko Directory at ${origin}.`, 'Check the address.', { cause })
    })
  const { auth, functions } = config.emulators ?? {}
  for (const emulator of [auth, functions]) {
    if (emulator !== undefined && !isLoopback(emulator.host)) {
      throw new UserError(
        `${origin} runs under emulators on another machine: the secret would travel in the clear.`,
        'Run koko on the machine of the emulators.',
      )
    }
  }
  return config
}

function isLoopbackText(text: string): boolean {
  return URL.canParse(`http://${text}`) && isLoopback(new URL(`http://${text}`).hostname)
}
