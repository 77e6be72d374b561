// A reload keeps the session: sessionStorage belongs to this tab and origin alone, and ends with the tab. It holds the ID
// token, which the directory refuses from the session's end on, and nothing that could renew it.
const key = 'koko-settings'

/** What `keepSession` kept in this tab; null if there is nothing, or the browser keeps nothing. */
export function keptSession(): string | null {
  try {
    return window.sessionStorage.getItem(key)
  } catch {
    return null
  }
}

export function keepSession(session: string): void {
  try {
    window.sessionStorage.setItem(key, session)
  } catch {
    // Without storage, a reload ends the session.
  }
}

/** Forgets the kept session, or only this one. */
export function forgetSession(session = keptSession()): void {
  if (session !== null && keptSession() === session) window.sessionStorage.removeItem(key)
}
