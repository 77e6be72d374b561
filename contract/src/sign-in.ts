import * as z from 'zod'
import type { Config } from './api.ts'
import { DirectoryError } from './errors.ts'

const Exchanged = z.object({ idToken: z.string(), refreshToken: z.string(), expiresIn: z.coerce.number() })
const Refreshed = z.object({ id_token: z.string(), refresh_token: z.string(), expires_in: z.coerce.number() })

/** An ID token is renewed this long before it ends, in milliseconds: a slow call must not outlive it. */
const renewAheadMs = 120_000

export interface SignInOptions {
  fetch?: (url: string, init: RequestInit) => Promise<Response>
  nowMs?: () => number
  signal?: AbortSignal
}

/** A session at Firebase Authentication; `idToken` gives one that is good for at least two minutes. */
export interface SignedIn {
  idToken: () => Promise<string>
}

/**
 * Signs in with a custom token, over REST (https://firebase.google.com/docs/reference/rest/auth). Throws
 * `unauthenticated` for a token that is refused or a session that has ended, `unavailable` where nobody answers.
 */
export async function signInWithToken(
  { apiKey, emulators }: Pick<Config, 'apiKey' | 'emulators'>,
  token: string,
  { fetch = globalThis.fetch, nowMs = Date.now, signal }: SignInOptions = {},
): Promise<SignedIn> {
  const base = emulators === undefined ? 'https:/' : `http://${emulators.auth.host}:${emulators.auth.port}`

  async function post<T extends z.ZodObject>(
    path: string,
    body: object,
    answer: T,
  ): Promise<z.output<T> & { beganAtMs: number }> {
    const beganAtMs = nowMs()
    let response: Response
    try {
      response = await fetch(`${base}/${path}?key=${apiKey}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      })
    } catch (cause) {
      throw new DirectoryError('unavailable', 'The sign-in service cannot be reached. Try again later.', { cause })
    }
    if (response.status === 400 || response.status === 401) {
      throw new DirectoryError('unauthenticated', 'The session has ended: sign in again with the secret.')
    }
    const parsed = answer.safeParse(await response.json().catch(() => undefined))
    if (!response.ok || !parsed.success) {
      throw new DirectoryError('unavailable', `The sign-in service answered ${response.status}. Try again later.`)
    }
    return { ...parsed.data, beganAtMs }
  }

  const first = await post(
    'identitytoolkit.googleapis.com/v1/accounts:signInWithCustomToken',
    { token, returnSecureToken: true },
    Exchanged,
  )
  let { idToken, refreshToken } = first
  let renewAtMs = first.beganAtMs + first.expiresIn * 1_000 - renewAheadMs
  let renewing: Promise<void> | undefined

  async function renew(): Promise<void> {
    const next = await post(
      'securetoken.googleapis.com/v1/token',
      { grant_type: 'refresh_token', refresh_token: refreshToken },
      Refreshed,
    )
    idToken = next.id_token
    refreshToken = next.refresh_token
    renewAtMs = next.beganAtMs + next.expires_in * 1_000 - renewAheadMs
  }

  return {
    async idToken() {
      if (nowMs() >= renewAtMs) {
        renewing ??= renew().finally(() => {
          renewing = undefined
        })
        await renewing
      }
      return idToken
    },
  }
}
