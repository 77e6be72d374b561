import { facts } from './facts.ts'

const links = {
  '/settings': 'Settings',
  '/help/whatsapp': 'WhatsApp and your number',
  '/terms': 'Terms',
  '/disclaimer': 'Disclaimer',
  '/privacy': 'Privacy',
  '/report': 'Report a number',
}

/** The document around a page, which writes its own title, meta tags, scripts and further styles, and then its `main`. */
export function layout(page: string, file: string): string {
  const path = file.replace(/\.html$/, '')
  // A settings session lives in its tab alone: a link there opens a tab of its own.
  const isSettings = path === '/settings'
  const newTab = isSettings ? ' target="_blank" rel="noreferrer"' : ''
  const hint = isSettings ? '<span class="unseen"> (in a new tab)</span>' : ''
  const mainAt = page.indexOf('<main')
  if (mainAt === -1) throw new Error(`${file} has no main`)
  const nav = Object.entries(links)
    .filter(([href]) => !isSettings || href !== path)
    .map(
      ([href, name]) => `<a href="${href}"${newTab}${href === path ? ' aria-current="page"' : ''}>${name}${hint}</a>`,
    )
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <link rel="icon" href="/favicon.ico" sizes="32x32" />
    <link rel="icon" href="/koko.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/src/style.css" />
    ${page.slice(0, mainAt).trim()}
  </head>
  <body>
    <a class="skip" href="#main">Skip to content</a>
    <header class="bar">
      <a class="brand" href="/"${newTab}><img src="/koko.svg" alt="" width="26" height="26" />Koko Directory${hint}</a>
    </header>
    ${withFacts(page.slice(mainAt).trim(), file)}
    <footer class="foot">
      <nav aria-label="Site">
        ${nav.join('\n        ')}
      </nav>
    </footer>
  </body>
</html>
`
}

function withFacts(main: string, file: string): string {
  return main.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const fact = facts[name]
    if (fact === undefined) throw new Error(`${file} asks for the fact ${name}, which web/facts.ts does not have`)
    return fact
  })
}
