import { render } from 'preact'
import { App } from './app.tsx'

const { hash, pathname } = window.location
const code = hash.startsWith('#code=') ? hash.slice('#code='.length) : null
// The code leaves the address bar and the history before anything else happens.
if (hash !== '') window.history.replaceState(null, '', pathname)

const main = document.getElementById('main')
if (main !== null) {
  main.replaceChildren()
  render(<App code={code} />, main)
}
