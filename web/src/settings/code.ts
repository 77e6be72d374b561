const key = '#code='

/** A code, and what a chat or mail program may have put after a link: a full stop, brackets, quotes, more words. */
const codeAndMore = /^([A-Za-z0-9_-]{43})(?:[^A-Za-z0-9]*|[^A-Za-z0-9_-]*\s.*)$/s

/**
 * Removes what follows `#code=` from the address bar and the history, and returns it without the punctuation behind a
 * pasted link; null if there is no fragment. Another fragment is returned whole: it is a damaged code.
 */
export function takeCode(): string | null {
  const { hash, pathname } = window.location
  if (hash === '' || hash === '#main') return null
  window.history.replaceState(null, '', pathname.replace(/\/+$/, '') || '/')
  if (!hash.startsWith(key)) return hash
  const given = decoded(hash.slice(key.length))
  return codeAndMore.exec(given)?.[1] ?? given
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
