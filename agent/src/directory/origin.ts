import { DirectoryError, type Config } from '@koko/contract'
import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import { anyoneAt } from './session.ts'
import { isLoopback } from './network.ts'

/** The origin of a typed address. The secret is sent there, so it must be HTTPS, except on this machine. */
export function originOf(typed: string): { origin: string } | { problem: string } {
  const text = typed.trim()
  const isLocal = URL.canParse(`http://${text}`) && isLoopback(new URL(`http://${text}`).hostname)
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `${isLocal ? 'http' : 'https'}://${text}`
  if (!URL.canParse(withScheme)) return { problem: 'must be an address, such as https://example.web.app' }
  const { protocol, hostname, username, password, origin } = new URL(withScheme)
  if (protocol !== 'https:' && protocol !== 'http:') return { problem: 'must begin with https://' }
  if (username !== '' || password !== '') return { problem: 'must not contain a user name or a password' }
  if (protocol === 'http:' && !isLoopback(hostname)) {
    return {
      problem:
        'must begin with https://, because http would send the secret unencrypted; http is only for this machine',
    }
  }
  return { origin }
}

export function requireOrigin(typed: string): string {
  const parsed = originOf(typed)
  if ('origin' in parsed) return parsed.origin
  throw new UserError(`The address of the directory ${parsed.problem}.`, 'Give it with --directory or KOKO_DIRECTORY.')
}

/** The origin from the option, or from a question, or from `KOKO_DIRECTORY`. */
export async function chooseOrigin(context: Context, option: string | undefined, initial?: string): Promise<string> {
  if (option !== undefined) return requireOrigin(option)
  const known = [initial, context.env.KOKO_DIRECTORY].find((each) => each !== undefined && each !== '')
  if (context.ask === undefined) {
    if (known !== undefined) return requireOrigin(known)
    throw new UserError('No directory was given.', 'Give --directory <url>, or set KOKO_DIRECTORY.')
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

/** The configuration of the directory at an origin. Throws `UserError` if there is none. */
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
  if (config.emulators !== undefined && !isLoopback(new URL(origin).hostname)) {
    throw new UserError(
      `${origin} says that it runs on emulators, but is not on this machine.`,
      'Ask the host of the directory. For your own emulators, use an address of this machine, such as http://127.0.0.1:5000.',
    )
  }
  for (const emulator of [auth, functions]) {
    if (emulator !== undefined && !isLoopback(emulator.host)) {
      throw new UserError(
        `${origin} runs on emulators of another machine, so the secret would be sent unencrypted.`,
        'Run koko on the machine of the emulators.',
      )
    }
  }
  return config
}
