import { codePattern } from '@koko/contract'

const key = '#code='

/**
 * Takes what follows `#code=` out of the address bar and the history, before anything else happens. Another fragment is
 * a code that somebody's program has spoilt; null where there is none.
 */
export function takeCode(): string | null {
  const { hash, pathname } = window.location
  if (hash === '' || hash === '#main') return null
  window.history.replaceState(null, '', pathname)
  return hash.startsWith(key) ? hash.slice(key.length) : hash
}

export function isWhole(code: string): boolean {
  return codePattern.test(code)
}
