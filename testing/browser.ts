import axe, { type AxeResults, type RunOptions } from 'axe-core'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core'
import { authOrigin, firestoreOrigin, hostingOrigin } from '../scripts/stack/addresses.ts'

declare global {
  interface Window {
    axe: typeof axe
  }
}

const NAMES = ['chromium', 'google-chrome', 'google-chrome-stable', 'chromium-browser']
/** No updates, pings or experiments, so that every request comes from a page. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
]
/** Every origin that a page may ask. */
const ALLOWED = [hostingOrigin, authOrigin, firestoreOrigin]

/** The narrowest page that must not scroll sideways: https://www.w3.org/WAI/WCAG22/Understanding/reflow */
const NARROW = { width: 320, height: 640 }
export const PHONE = { width: 360, height: 740 }
export const DESKTOP = { width: 1280, height: 900 }

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: FLAGS })
}

function findChromium(): string {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
  if (found === undefined) throw new Error('Chromium is missing: run "sudo apt-get install chromium"')
  return found
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export interface Tab extends AsyncDisposable {
  page: Page
  context: BrowserContext
  /** Every request of the tab so far, as `METHOD url`. */
  requests: readonly string[]
  /** How often a callable was called. */
  callsOf: (name: string) => number
  /** What no tab of ours may do: ask elsewhere, break the content security policy, log an error or throw. */
  offences: () => string[]
}

/**
 * A tab in a profile of its own. `failedLoads`: a test that makes requests fail lets the browser say so on the console;
 * what the page itself logs or throws is an offence all the same.
 */
export async function openTab(
  browser: Browser,
  { failedLoads = false, ...options }: BrowserContextOptions & { failedLoads?: boolean } = {},
): Promise<Tab> {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: 'reduce', ...options })
  const requests: string[] = []
  const offences: string[] = []
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.error(`violates ${violatedDirective}: ${blockedURI}`),
    )
  })
  context.on('request', (request) => {
    const url = request.url()
    requests.push(`${request.method()} ${url}`)
    const isAllowed = ALLOWED.some((origin) => url.startsWith(`${origin}/`)) || url.startsWith(`blob:${hostingOrigin}/`)
    if (!isAllowed) offences.push(`asks for ${url}`)
    if (url.includes('code=')) offences.push('sends the code in a URL')
  })
  context.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return
    if (failedLoads && message.text().startsWith('Failed to load resource')) return
    offences.push(`logs ${message.text()}`)
  })
  context.on('weberror', (error) => offences.push(`throws ${error.error().message}`))
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  return {
    page,
    context,
    requests,
    callsOf: (name) => requests.filter((request) => request.endsWith(`/callables/${name}`)).length,
    offences: () => offences,
    [Symbol.asyncDispose]: () => context.close(),
  }
}

/** What axe finds, and where the page would scroll sideways: in both colour schemes, on phones and on a desktop. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  const before = page.viewportSize() ?? DESKTOP
  const problems: string[] = []
  for (const viewport of [NARROW, PHONE, DESKTOP]) {
    await page.setViewportSize(viewport)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const where = `${viewport.width}px ${colorScheme}`
      if (await scrollsSideways(page)) problems.push(`${where}: scrolls sideways`)
      // A scheme changes colours only.
      const found = await axeFindings(page, colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {})
      problems.push(...found.map((finding) => `${where}: ${finding}`))
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(before)
  return problems
}

/** The rules that the page breaks, or may break, each with the places. There are no frames here. */
async function axeFindings(page: Page, options: RunOptions): Promise<string[]> {
  // Loading axe takes longer than most of its runs, so it stays in the page.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source)
  return page.evaluate(
    async (options) => {
      const changes: MutationRecord[] = []
      const observer = new MutationObserver((records) => changes.push(...records))
      observer.observe(document, { childList: true, subtree: true })
      let results: AxeResults
      // A run looks at the elements in several turns: one that is removed between them seems misplaced.
      do {
        changes.length = 0
        results = await window.axe.run(options)
      } while (changes.length > 0)
      observer.disconnect()
      const unsure = results.incomplete.filter(({ id }) => id !== 'color-contrast')
      return [...results.violations, ...unsure].map(
        ({ id, nodes }) => `${id} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`,
      )
    },
    { resultTypes: ['violations', 'incomplete'], ...options } satisfies RunOptions,
  )
}

export function scrollsSideways(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)
}
