import { render } from 'preact'
import { App } from './app.tsx'
import { takeCode } from './code.ts'

const code = takeCode()
// zod, which comes with the contract, tests whether it may compile code: the content security policy would report that.
Object.assign(globalThis, { __zod_globalConfig: { jitless: true } })
const main = document.getElementById('main')
if (main !== null) {
  main.replaceChildren()
  render(<App code={code} />, main)
}
