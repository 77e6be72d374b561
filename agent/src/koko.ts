#!/usr/bin/env node
/** The Node that koko needs: the first with `util.styleText`. */
const neededNode = [20, 12] as const

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < neededNode[0] || (major === neededNode[0] && minor < neededNode[1])) {
  console.error(`koko needs Node ${neededNode.join('.')} or later; this is ${process.versions.node}.`)
  process.exit(1)
}

const { runCli } = await import('./cli.ts')

const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    // The first signal ends the command in order; a second one does not wait for that.
    if (stopping.signal.aborted) process.exit(1)
    stopping.abort()
  })
}
// A reader that closed its pipe must not end an unlink before it is sent. `runCli` sees a failed write of the result.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

const exitCode = await runCli({
  arguments: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  fetch: (url, init) => fetch(url, init),
  async openPage(url) {
    // Without a desktop or $BROWSER, `xdg-open` starts and shows nothing.
    const { BROWSER, DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env
    const hasDesktop = [BROWSER, DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME].some((value) => (value ?? '') !== '')
    if (process.platform === 'linux' && !hasDesktop) return false
    const { default: open } = await import('open')
    return (await open(url).catch(() => undefined)) !== undefined
  },
  nowMs: Date.now,
  signal: stopping.signal,
})
process.exit(exitCode)
