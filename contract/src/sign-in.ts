import * as z from 'zod'
import type { Config } from './api.ts'
import type { ClientOptions } from './client.ts'
import { DirectoryError } from './errors.ts'

const Exchanged = z.object({ idToken: z.string(), refreshToken: z.string(), expiresIn: z.coerce.number() })
const Refreshed = z
  .object({ id_token: z.string(), refresh_token: z.string(), expires_in: z.coerce.number() })
  .transform((answer) => ({
    idToken: answer.id_token,
    refreshToken: answer.refresh_token,
    expiresIn: answer.expires_in,
  }))

/** An ID token is renewed this long before it expires, so that it outlasts a slow call. */
const renewAheadMs = 120_000

/**
 * Signs in with a custom token, over REST (https://firebase.google.com/docs/reference/rest/auth). `idToken` gives a token
 * that is valid for at least two minutes. Throws `unauthenticated` for a refused token or a session that has ended,
 * `unavailable` if the service does not answer.
 */
export async function signInWithToken(
  { apiKey, emulators }: Pick<Config, 'apiKey' | 'emulators'>,
  token: string,
  {
    fetch = globalThis.fetch,
    nowMs = Date.now,
    signal,
  }: Pick<ClientOptions, 'fetch' | 'signal'> & { nowMs?: () => number } = {},
): Promise<{ idToken: () => Promise<string> }> {
  const base = emulators === undefined ? 'https:/' : `http://${emulators.auth.host}:${emulators.auth.port}`

  async function post(path: string, body: object, answer: typeof Exchanged | typeof Refreshed) {
    const beganAtMs = nowMs()
    let response: Response
    try {
      response = await fetch(`${base}/${path}?key=${encodeURIComponent(apiKey)}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      })
    } catch (cause) {
      throw new DirectoryError('unavailable', 'The sign-in service cannot be reached. Try again later.', { cause })
    }
    if (response.status === 400 || response.status === 401) {
      throw new DirectoryError('unauthenticated', 'The session has ended. Sign in again with the secret.')
    }
    const parsed = answer.safeParse(await response.json().catch(() => undefined))
    if (!response.ok || !parsed.success) {
      throw new DirectoryError('unavailable', `The sign-in service answered ${response.status}. Try again later.`)
    }
    const { idToken, refreshToken, expiresIn } = parsed.data
    return { idToken, refreshToken, renewAtMs: beganAtMs + expiresIn * 1_000 - renewAheadMs }
  }

  let session = await post(
    'identitytoolkit.googleapis.com/v1/accounts:signInWithCustomToken',
    { token, returnSecureToken: true },
    Exchanged,
  )
  let renewing: Promise<void> | undefined

  async function renew(): Promise<void> {
    const body = { grant_type: 'refresh_token', refresh_token: session.refreshToken }
    session = await post('securetoken.googleapis.com/v1/token', body, Refreshed)
  }

  return {
    async idToken() {
      if (nowMs() >= session.renewAtMs) {
        renewing ??= renew().finally(() => {
          renewing = undefined
        })
        await renewing
      }
      return session.idToken
    },
  }
}
