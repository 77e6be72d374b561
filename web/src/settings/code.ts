const key = '#code='

/**
 * Removes what follows `#code=` from the address bar and the history, and returns it; null if there is no fragment. Another
 * fragment is returned whole: it is a damaged code.
 */
export function takeCode(): string | null {
  const { hash, pathname } = window.location
  if (hash === '' || hash === '#main') return null
  window.history.replaceState(null, '', pathname)
  return hash.startsWith(key) ? hash.slice(key.length) : hash
}
