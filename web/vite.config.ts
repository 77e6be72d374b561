import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vite'
import { contactLink, readSite, securityTxt } from './contact.ts'
import { layout } from './layout.ts'

const pages = ['', 'help']
  .flatMap((folder) => readdirSync(join(import.meta.dirname, folder)).map((file) => join(folder, file)))
  .filter((file) => file.endsWith('.html'))
const site = readSite(process.env)
// https://reproducible-builds.org/docs/source-date-epoch/
const { SOURCE_DATE_EPOCH: seconds } = process.env
const builtAt = seconds === undefined ? new Date() : new Date(Number(seconds) * 1_000)

// Vite reads its configuration from the default export.
// eslint-disable-next-line no-restricted-syntax
export default defineConfig({
  root: import.meta.dirname,
  appType: 'mpa',
  plugins: [
    { name: 'layout', transformIndexHtml: { order: 'pre', handler: (page, { path }) => layout(page, path) } },
    {
      name: 'contact',
      transformIndexHtml: (page) => page.replaceAll('<!--contact-->', contactLink(site)),
      generateBundle() {
        this.emitFile({ type: 'asset', fileName: 'security.txt', source: securityTxt(site, builtAt) })
      },
    },
  ],
  build: {
    target: 'es2023',
    outDir: 'dist',
    emptyOutDir: true,
    // An inlined asset would need `data:` in the content security policy, a preload polyfill an inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: Object.fromEntries(pages.map((page) => [page.replace('.html', ''), join(import.meta.dirname, page)])),
    },
  },
})
