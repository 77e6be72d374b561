import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { environment, root } from '../../scripts/stack/addresses.ts'

const { createApp } = createRequire(import.meta.url)('firebase-tools/lib/emulator/auth/server') as {
  createApp: (projectId: string) => Promise<RequestListener>
}

const workspaces = ['contract', 'functions', 'web', 'agent']
/** Everything that is deployed or run, with what generates and builds it. */
const copied = [
  ...workspaces,
  'scripts',
  'testing',
  'docs',
  'fixtures',
  'LICENSE',
  'firebase.json',
  'firestore.indexes.json',
  'firestore.rules',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
]
/** What is built, installed or written by a running stack. */
const left = new Set(['node_modules', 'dist', 'test', '.env.local'])

/** A copy of this project with one more room: the file that defines it, and its line in the list of rooms. */
export interface Tree extends AsyncDisposable {
  folder: string
  /** Runs Node in the copy; resolves to what it printed, rejects with its output if it fails. */
  node: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<string>
}

export async function createTreeWithRoom(name: string): Promise<Tree> {
  const folder = await mkdtemp(join(tmpdir(), 'koko-room-'))
  for (const part of copied) {
    await cp(join(root, part), join(folder, part), {
      recursive: true,
      filter: (path) =>
        !path
          .slice(root.length)
          .split('/')
          .some((each) => left.has(each) || each.endsWith('.test.ts')),
    })
  }
  await linkDependencies(folder)
  const rooms = join(folder, 'contract', 'src', 'rooms')
  const definition = await readFile(join(import.meta.dirname, `${name}.ts`), 'utf8')
  await writeFile(
    join(rooms, `${name}.ts`),
    definition.replaceAll("'../../contract/src/rooms/", "'./").replaceAll("'../../contract/src/", "'../"),
  )
  await appendFile(join(rooms, 'list.ts'), `export { ${name} } from './${name}.ts'\n`)

  return {
    folder,
    node: (args, env = {}) => run(process.execPath, args, folder, env),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The installed packages, but the workspaces' own are those of the copy. */
async function linkDependencies(folder: string): Promise<void> {
  for (const place of ['', ...workspaces]) {
    const from = join(root, place, 'node_modules')
    const names = await readdir(from).catch(() => [])
    for (const name of names.filter((each) => each !== '@koko' && !each.startsWith('.built'))) {
      const to = join(folder, place, 'node_modules', name)
      await mkdir(dirname(to), { recursive: true })
      await symlink(join(from, name), to)
    }
  }
  await mkdir(join(folder, 'node_modules', '@koko'), { recursive: true })
  for (const workspace of workspaces) {
    await symlink(join(folder, workspace), join(folder, 'node_modules', '@koko', workspace))
  }
}

async function run(program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const written = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (written.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (written.stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0) return written.stdout
  throw new Error(`${args.join(' ')} ended with ${code}:\n${written.stdout}${written.stderr}`)
}

/** The copy as a host runs it: its pages and its functions at one origin, beside the emulators of this run. */
export interface ServedTree extends AsyncDisposable {
  origin: string
  /** Calls a function by its name, as the scheduler does. */
  trigger: (name: string) => Promise<void>
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}

export async function serveTree({ folder }: Tree, projectId: string): Promise<ServedTree> {
  const server = createServer((request, response) => {
    const { method = 'GET', url = '/', headers } = request
    const [path = ''] = url.split('?')
    void (async () => {
      if (!path.startsWith('/api/') && !path.startsWith(`/${projectId}/`)) {
        const file = extname(path) === '' ? `${path === '/' ? '/index' : path}.html` : path
        const page = await readFile(join(folder, 'web', 'dist', file)).catch(() => null)
        response
          .writeHead(page === null ? 404 : 200, { 'content-type': types[extname(file)] ?? 'text/plain' })
          .end(page)
        return
      }
      const chunks: Uint8Array[] = []
      for await (const chunk of request) chunks.push(chunk as Uint8Array)
      // Hosting's rewrite of a callable goes to the function of that name.
      const target = path.startsWith('/api/v1/callables/')
        ? `/${projectId}/us-central1/${path.split('/').at(-1) ?? ''}`
        : url
      const answer = await fetch(`http://127.0.0.1:${await functions.port}${target}`, {
        method,
        headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
          typeof value === 'string' && !hopByHop.has(name) ? [[name, value]] : [],
        ),
        ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
      })
      const text = await answer.text()
      response.writeHead(answer.status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
      // The functions of the emulator suite listen on 5001; those of the copy are behind this server.
      response.end(text.replace('"port":5001', `"port":${port}`))
    })().catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const auth = await startAuthEmulator(projectId)
  const functions = startFunctions(folder, projectId, { origin, auth: auth.address })
  await functions.port
  return {
    origin,
    async trigger(name) {
      const { ok, status } = await fetch(`${origin}/${projectId}/us-central1/${name}`, { method: 'POST', body: '{}' })
      if (!ok) throw new Error(`${name} answered ${status}`)
    },
    async [Symbol.asyncDispose]() {
      functions.child.kill('SIGKILL')
      await close(server)
      await close(auth.server)
    },
  }
}

/**
 * The emulator suite signs everybody in to its one project; this is the same Auth emulator for another.
 */
async function startAuthEmulator(projectId: string): Promise<{ server: Server; address: string }> {
  const server = createServer(await createApp(projectId))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}

const hopByHop = new Set(['connection', 'content-length', 'host', 'transfer-encoding', 'accept-encoding'])

function startFunctions(folder: string, projectId: string, { origin, auth }: { origin: string; auth: string }) {
  const child = fork(join(import.meta.dirname, 'serve-functions.ts'), [join(folder, 'functions', 'dist', 'index.js')], {
    execArgv: [],
    env: {
      ...process.env,
      ...environment,
      GCLOUD_PROJECT: projectId,
      GOOGLE_CLOUD_PROJECT: projectId,
      FIREBASE_AUTH_EMULATOR_HOST: auth,
      FUNCTIONS_EMULATOR: 'true',
      KOKO_SECRET: 'fictional-secret-of-the-second-room-test',
      WEB_API_KEY: 'fictional',
      WEB_ORIGIN: origin,
      REGISTRATION_COST: '20',
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const port = Promise.race([
    once(child, 'message').then(([port]) => Number(port)),
    once(child, 'exit').then(() => Promise.reject(new Error('the functions ended'))),
  ])
  return { child, port }
}
