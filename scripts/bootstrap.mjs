#!/usr/bin/env node
// Runs a TypeScript script of this repository under Node 24 with the locked dependencies installed.
// Plain JavaScript without dependencies, because it must run on a machine that only has Node 20.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { setInterval } from 'node:timers'

const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')
const modules = join(root, 'node_modules')
const stampPath = join(modules, '.koko-stamp')

const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8')
const stamp = createHash('sha256').update(`${lockText}\n${process.platform} ${process.arch}`).digest('hex')

// An install by npm itself has no stamp of this lock, but npm's own record of the installed packages.
function isInstalled() {
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === stamp) return true
  const recordPath = join(modules, '.package-lock.json')
  if (!existsSync(recordPath)) return false
  const installed = JSON.parse(readFileSync(recordPath, 'utf8')).packages
  return Object.entries(JSON.parse(lockText).packages).every(([location, locked]) => {
    if (location === '' || locked.link || !/(^|\/)node_modules\//.test(location)) return true
    const found = installed[location]
    if (!found) return Boolean(locked.optional || locked.devOptional)
    return found.version === locked.version && found.integrity === locked.integrity
  })
}

function fail(message) {
  console.error(message)
  process.exit(1)
}

function install() {
  console.error('installing dependencies (npm ci) …')
  const args = ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath
  const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 * 1024 * 1024 }
  const done = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' })
  if (done.signal) process.exit(128 + constants.signals[done.signal])
  if (done.status !== 0) {
    process.stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}`)
    fail(`the dependencies could not be installed${done.error ? `: ${done.error.message}` : ''}. To try again: npm ci`)
  }
}

function findNode24() {
  const windows = process.platform === 'win32'
  const name = `node-${windows ? 'win' : process.platform}-${process.arch}`
  const packaged = join(modules, name, 'bin', windows ? 'node.exe' : 'node')
  if (existsSync(packaged)) return packaged
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  return undefined
}

const [script, ...args] = process.argv.slice(2)
if (!script) fail('usage: node scripts/bootstrap.mjs <script.ts> [arguments]')

if (!isInstalled()) install()
writeFileSync(stampPath, stamp)

const node =
  findNode24() ??
  fail(`Node.js 24 or later is missing (this is ${process.version}): install it from https://nodejs.org/en/download`)

const child = spawn(node, [resolve(root, script), ...args], {
  stdio: 'inherit',
  env: { ...process.env, PATH: [join(modules, '.bin'), process.env.PATH].filter(Boolean).join(delimiter) },
})
// The terminal also sends Ctrl-C to the child; the scripts treat a repeated signal as one.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
// A killed npm sends no signal.
const parent = process.ppid
if (process.env.npm_lifecycle_event) {
  setInterval(() => process.ppid !== parent && child.kill('SIGHUP'), 1_000).unref()
}
child.on('error', (error) => fail(`${node} could not be started: ${error.message}`))
child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)))
