import { describe, expect, test } from '@jest/globals'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import * as z from 'zod'

const root = fileURLToPath(new URL('../', import.meta.url))

/** An import: a path from the repository's root where it is relative, a package's name or `node:…` otherwise. */
interface Import {
  file: string
  specifier: string
}

interface Place {
  /** Whether a file, by its path from the repository's root, lies here. A file lies in one place at most. */
  holds: (file: string) => boolean
  allows: (specifier: string, file: string) => boolean
  /** Whether the place may hold no file yet. */
  mayBeEmpty: boolean
}

const under = (folder: string) => (path: string) => path.startsWith(`${folder}/`)
const directlyIn = (folder: string) => (path: string) => posix.dirname(path) === folder
const isPackage = (specifier: string, name: string) => specifier === name || specifier.startsWith(`${name}/`)
const isContract = (specifier: string) => isPackage(specifier, '@koko/contract')
const index = 'functions/src/index.ts'
/** The files that put the wings of the cloud together: the callables and the HTTP API. */
const isComposition = (file: string) => ['functions/src/calls.ts', 'functions/src/http.ts'].includes(file)
const isShared = (file: string) => directlyIn('functions/src')(file) && file !== index && !isComposition(file)
const isInWing = (...wings: string[]) => {
  const folders = wings.map((wing) => under(`functions/src/${wing}`))
  return (file: string) => folders.some((holds) => holds(file))
}
const isCore = (file: string) =>
  isShared(file) || isComposition(file) || isInWing('directory', 'discovery', 'identity')(file)
const isContractOrZod = (specifier: string) => isContract(specifier) || isPackage(specifier, 'zod')

const Packages = z.record(z.string(), z.string()).default({})
const Manifest = z.looseObject({ dependencies: Packages, devDependencies: Packages })

/** The packages that a workspace names as its own; what is bundled is a dependency of development only. */
function ownPackages(workspace: string): string[] {
  const manifest = Manifest.parse(JSON.parse(readFileSync(`${root}${workspace}/package.json`, 'utf8')))
  return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })
}

const isTerminal = (file: string) => file === 'agent/src/terminal.ts'
/** What every part of the agent shares: errors, output, labels, the context. */
const isAgentBase = (file: string) =>
  directlyIn('agent/src')(file) && !['koko.ts', 'cli.ts', 'terminal.ts'].includes(posix.basename(file))
const isOperation = under('agent/src/operations')
const isBelowOperations = (file: string) =>
  isAgentBase(file) || ['matching', 'directory', 'home'].some((folder) => under(`agent/src/${folder}`)(file))

/** A place in the agent: it may import itself, the places given, and the agent's own packages. */
function agentPlace(holds: Place['holds'], ...others: ((path: string) => boolean)[]): Place {
  return {
    holds,
    allows: (specifier) =>
      [holds, ...others].some((isIn) => isIn(specifier)) ||
      specifier === 'agent/package.json' ||
      specifier.startsWith('node:') ||
      ownPackages('agent').some((name) => isPackage(specifier, name)),
    mayBeEmpty: false,
  }
}

/** Who may import what: the table of the architecture. */
const places: Record<string, Place> = {
  'contract/src': {
    holds: under('contract/src'),
    allows: (specifier) =>
      under('contract/src')(specifier) || ['zod', 'libphonenumber-js'].some((name) => isPackage(specifier, name)),
    mayBeEmpty: false,
  },
  'functions/src': {
    holds: isShared,
    allows: (specifier) => isShared(specifier) || isContractOrZod(specifier),
    mayBeEmpty: false,
  },
  'functions/src/{calls,http}.ts': {
    holds: isComposition,
    allows: (specifier) => isCore(specifier) || isContractOrZod(specifier),
    mayBeEmpty: false,
  },
  'functions/src/directory': {
    holds: isInWing('directory'),
    allows: (specifier) => isShared(specifier) || isInWing('directory')(specifier) || isContractOrZod(specifier),
    mayBeEmpty: false,
  },
  'functions/src/discovery': {
    holds: isInWing('discovery'),
    allows: (specifier) =>
      isShared(specifier) ||
      isInWing('directory', 'discovery')(specifier) ||
      isContractOrZod(specifier) ||
      isPackage(specifier, 'tinyqueue'),
    mayBeEmpty: false,
  },
  'functions/src/identity': {
    holds: isInWing('identity'),
    allows: (specifier) => isShared(specifier) || isInWing('identity')(specifier) || isContractOrZod(specifier),
    mayBeEmpty: true,
  },
  'functions/src/adapters': {
    holds: under('functions/src/adapters'),
    allows: (specifier) => specifier === 'functions/src/ports.ts' || isContract(specifier) || !isLocal(specifier),
    mayBeEmpty: false,
  },
  'functions/src/index.ts': {
    holds: (file) => file === index,
    allows: (specifier) => under('functions/src')(specifier) || !isLocal(specifier),
    mayBeEmpty: false,
  },
  'web/src': {
    holds: under('web/src'),
    allows: (specifier) => under('web/src')(specifier) || ownPackages('web').some((name) => isPackage(specifier, name)),
    mayBeEmpty: true,
  },
  'agent/src': agentPlace(isAgentBase, under('agent/src/home')),
  'agent/src/home': agentPlace(under('agent/src/home'), isAgentBase),
  'agent/src/directory': agentPlace(under('agent/src/directory'), isAgentBase, under('agent/src/home')),
  'agent/src/matching': agentPlace(under('agent/src/matching'), isAgentBase, under('agent/src/home')),
  'agent/src/operations': agentPlace(isOperation, isBelowOperations),
  'agent/src/commands': agentPlace(under('agent/src/commands'), isOperation, isBelowOperations, isTerminal),
  'agent/src/mcp': agentPlace(under('agent/src/mcp'), isOperation, isBelowOperations),
  'agent/src/daemon': agentPlace(under('agent/src/daemon'), isOperation, isBelowOperations),
  'agent/src/terminal.ts': agentPlace(isTerminal, isAgentBase),
  'agent/src/cli.ts': agentPlace(
    (file) => file === 'agent/src/cli.ts',
    (path) => under('agent/src')(path) && path !== 'agent/src/koko.ts',
  ),
  'agent/src/koko.ts': agentPlace(
    (file) => file === 'agent/src/koko.ts',
    (path) => path === 'agent/src/cli.ts',
  ),
}

function isLocal(specifier: string): boolean {
  return /^(contract|functions|web|agent|scripts|bench|testing|test|docs|fixtures)\//.test(specifier)
}

/** Every import of a file, type-only, dynamic and re-exporting ones included. */
function importsOf(file: string, text: string): Import[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => ({
    file,
    specifier: fileName.startsWith('.') ? posix.join(posix.dirname(file), fileName) : fileName,
  }))
}

/** The SDK that an import belongs to; undefined for what is no SDK. */
function sdkOf(specifier: string): string | undefined {
  if (isLocal(specifier) || specifier.startsWith('node:') || isContract(specifier) || isPackage(specifier, 'zod')) {
    return undefined
  }
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

/** What the table forbids, in words. */
function violations(sources: ReadonlyMap<string, string>): string[] {
  return [...sources].flatMap(([file, text]) => {
    const place = Object.values(places).find(({ holds }) => holds(file))
    const imports = importsOf(file, text)
    const forbidden = imports.filter(({ specifier }) => place !== undefined && !place.allows(specifier, file))
    const sdks = new Set(imports.map(({ specifier }) => sdkOf(specifier)).filter((sdk) => sdk !== undefined))
    return [
      ...forbidden.map(({ specifier }) => `${file} imports ${specifier}`),
      ...(under('functions/src/adapters')(file) && sdks.size > 1 ? [`${file} knows ${[...sdks].join(' and ')}`] : []),
    ]
  })
}

/** Chains of imports that lead back to where they begin, type-only and dynamic imports included. */
function circles(files: ReadonlyMap<string, string>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  function follow(file: string, chain: readonly string[]): void {
    if (chain.includes(file)) found.push([...chain.slice(chain.indexOf(file)), file].join(' → '))
    const text = files.get(file)
    if (text === undefined || chain.includes(file) || done.has(file)) return
    for (const { specifier } of importsOf(file, text)) follow(specifier, [...chain, file])
    done.add(file)
  }
  for (const file of files.keys()) follow(file, [])
  return found
}

/** The product's sources by their path from the repository's root; tests may import what they test with. */
function productSources(): Map<string, string> {
  const folders = ['contract/src', 'functions/src', 'web/src', 'agent/src'].filter((path) => existsSync(root + path))
  const files = folders.flatMap((folder) =>
    readdirSync(root + folder, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
  )
  return new Map(
    files
      .filter((file) => /\.(ts|tsx|js|mjs)$/.test(file) && !file.endsWith('.test.ts'))
      .map((file) => [file, readFileSync(root + file, 'utf8')]),
  )
}

const sources = productSources()

test.each(Object.entries(places).filter(([, { mayBeEmpty }]) => !mayBeEmpty))('%s holds files', (_, { holds }) => {
  expect([...sources.keys()].filter(holds).length).toBeGreaterThan(0)
})

test('every source file lies in exactly one place', () => {
  const homes = (file: string) => Object.values(places).filter(({ holds }) => holds(file)).length
  expect([...sources.keys()].filter((file) => homes(file) !== 1)).toEqual([])
})

test('every source file imports only what its place may', () => {
  expect(violations(sources)).toEqual([])
})

test.each(['contract', 'functions', 'web', 'agent'])('no import in %s leads back to its file', (workspace) => {
  const files = new Map([...sources].filter(([file]) => under(workspace)(file)))
  expect(files.size).toBeGreaterThan(1)
  expect(circles(files)).toEqual([])
})

test.each([
  ["import './b.ts'", "import './a.ts'", ''],
  ["import type { B } from './b.ts'", "export { a } from './a.ts'", ''],
  ["await import('./b.ts')", "import './c.ts'", "import { a } from './a.ts'"],
])('a circle would be found: %s, %s, %s', (a, b, c) => {
  const files = { 'x/a.ts': a, 'x/b.ts': b, 'x/c.ts': c }
  expect(circles(new Map(Object.entries(files)))).toEqual([expect.stringMatching(/^x\/a\.ts → .*x\/a\.ts$/)])
})

test('imports were read: the contract is imported by the core, and zod by the contract', () => {
  const all = [...sources].flatMap(([file, text]) => importsOf(file, text))
  expect(all).toContainEqual({ file: 'contract/src/channels.ts', specifier: 'zod' })
  expect(all.filter(({ file, specifier }) => isCore(file) && isContract(specifier))).not.toEqual([])
})

describe('the table refuses', () => {
  test.each([
    ['functions/src/discovery/discover.ts', "import { getFirestore } from 'firebase-admin/firestore'"],
    ['functions/src/discovery/discover.ts', "import type { Firestore } from '@google-cloud/firestore'"],
    ['functions/src/discovery/discover.ts', "import * as logger from 'firebase-functions/logger'"],
    ['functions/src/discovery/discover.ts', "import { codec } from '../adapters/node.ts'"],
    ['functions/src/discovery/discover.ts', "const { codec } = await import('../adapters/node.ts')"],
    ['functions/src/discovery/discover.ts', "export { codec } from '../adapters/node.ts'"],
    ['functions/src/discovery/discover.ts', "import { randomBytes } from 'node:crypto'"],
    ['functions/src/discovery/discover.ts', "import { gzipSync } from 'zlib'"],
    ['functions/src/discovery/discover.ts', "import { api } from '../index.ts'"],
    ['functions/src/discovery/discover.ts', "import { Channels } from '../../../contract/src/channels.ts'"],
    ['functions/src/discovery/discover.ts', "import { createWorld } from '../../../testing/world.ts'"],
    ['functions/src/discovery/discover.ts', "import { runCallable } from '../calls.ts'"],
    ['functions/src/directory/retention.ts', "import { republishDiscovery } from '../discovery/republish.ts'"],
    ['functions/src/directory/retention.ts', "import type { View } from '../discovery/view.ts'"],
    ['functions/src/identity/passports.ts', "import { writeListing } from '../directory/listing-change.ts'"],
    ['functions/src/identity/passports.ts', "import { discover } from '../discovery/discover.ts'"],
    ['functions/src/sessions.ts', "import { heartbeat } from './directory/presence.ts'"],
    ['functions/src/sessions.ts', "import { handleHttp } from './http.ts'"],
    ['functions/src/adapters/firestore.ts', "import { createVault } from './node.ts'"],
    ['functions/src/adapters/firebase-callable.ts', "import { runCallable } from '../calls.ts'"],
    ['functions/src/adapters/firestore.ts', "import { discover } from '../discovery/discover.ts'"],
    ['functions/src/adapters/firestore.ts', "import { api } from '../index.ts'"],
    ['contract/src/listing.ts', "import { readFileSync } from 'node:fs'"],
    ['contract/src/listing.ts', "import type { Timestamp } from 'firebase/firestore'"],
    ['contract/src/listing.ts', "import { discover } from '../../functions/src/discovery/discover.ts'"],
    ['web/src/settings.ts', "import { discover } from '../../functions/src/discovery/discover.ts'"],
    ['web/src/settings.ts', "import { home } from '../../agent/src/home/home.ts'"],
    ['web/src/settings.ts', "import { readFileSync } from 'node:fs'"],
    ['agent/src/cli.ts', "import { settings } from '../../web/src/settings.ts'"],
    ['agent/src/cli.ts', "import { getAuth } from 'firebase-admin/auth'"],
    ['agent/src/cli.ts', "import './koko.ts'"],
    ['agent/src/mcp/server.ts', "import { runCli } from '../cli.ts'"],
    ['agent/src/mcp/tools.ts', "import { command } from '../commands/publish.ts'"],
    ['agent/src/mcp/server.ts', "import { createAsk } from '../terminal.ts'"],
    ['agent/src/daemon/duties.ts', "import type { Command } from '../commands/define-command.ts'"],
    ['agent/src/daemon/daemon.ts', "const { serveMcp } = await import('../mcp/server.ts')"],
    ['agent/src/commands/run.ts', "import { runDaemon } from '../daemon/daemon.ts'"],
    ['agent/src/commands/mcp.ts', "const { serveMcp } = await import('../mcp/server.ts')"],
    ['agent/src/commands/publish.ts', "import { runCli } from '../cli.ts'"],
    ['agent/src/operations/publish.ts', "import { showPreview } from '../commands/publish.ts'"],
    ['agent/src/operations/publish.ts', "import { createAsk } from '../terminal.ts'"],
    ['agent/src/matching/engine.ts', "import { discover } from '../operations/discover.ts'"],
    ['agent/src/directory/session.ts', "import { createMatcher } from '../matching/engine.ts'"],
    ['agent/src/home/home.ts', "import { openDirectory } from '../directory/session.ts'"],
    ['agent/src/output.ts', "import type { Style } from './commands/define-command.ts'"],
    ['agent/src/labels.ts', "import type { PeerMatch } from './operations/discover.ts'"],
  ])('in %s: %s', (file, text) => {
    expect(violations(new Map([[file, text]]))).toHaveLength(1)
  })

  test('an adapter that knows two SDKs', () => {
    const text = "import 'firebase-admin/auth'\nimport { Firestore } from '@google-cloud/firestore'"
    expect(violations(new Map([['functions/src/adapters/both.ts', text]]))).toEqual([
      'functions/src/adapters/both.ts knows firebase-admin and @google-cloud/firestore',
    ])
  })

  test('nothing that the architecture allows', () => {
    const allowed = new Map([
      [
        'contract/src/listing.ts',
        "import * as z from 'zod'\nimport { isPossiblePhoneNumber } from 'libphonenumber-js/min'",
      ],
      [
        'functions/src/discovery/discover.ts',
        "import { Listing } from '@koko/contract'\nimport type { Ports } from '../ports.ts'",
      ],
      ['functions/src/discovery/republish.ts', "import { removeInactiveAgents } from '../directory/retention.ts'"],
      ['functions/src/calls.ts', "import './directory/presence.ts'\nimport './discovery/export.ts'"],
      ['functions/src/identity/passports.ts', "import { paths } from '../documents.ts'\nimport './whois.ts'"],
      [
        'functions/src/adapters/node.ts',
        "import 'node:crypto'\nimport 'node:zlib'\nimport type { Vault } from '../ports.ts'",
      ],
      [
        'functions/src/index.ts',
        "import { api } from './http.ts'\nimport './adapters/node.ts'\nimport 'firebase-functions'",
      ],
      ['web/src/settings.ts', "import { createClient } from '@koko/contract'\nimport { render } from 'preact'"],
      [
        'agent/src/home/home.ts',
        "import { createClient } from '@koko/contract'\nimport { readFile } from 'node:fs/promises'",
      ],
      ['agent/src/koko.ts', "await import('./cli.ts')"],
      ['agent/src/cli.ts', "import './commands/run.ts'\nimport './daemon/daemon.ts'\nimport 'commander'"],
      ['agent/src/commands/init.ts', "import '../operations/register.ts'\nimport '../terminal.ts'"],
      ['agent/src/operations/discover.ts', "import '../matching/engine.ts'\nimport '../home/files.ts'"],
      ['agent/src/daemon/duties.ts', "import '../operations/publish.ts'\nimport '../directory/session.ts'"],
    ])
    expect(violations(allowed)).toEqual([])
  })
})

describe('nothing is ambient in the contract and the core', () => {
  const isPure = (file: string) => under('contract/src')(file) || isCore(file)

  /** Where a file reads the clock, randomness or the process for itself. */
  function ambient(file: string, text: string): string[] {
    const found: string[] = []
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest)
    const visit = (node: ts.Node): void => {
      const said = node.getText(source)
      if (ts.isNewExpression(node) && said === 'new Date()') found.push(said)
      if (ts.isCallExpression(node) && /^(Date\.now|Math\.random|performance\.now)\(/.test(said)) found.push(said)
      if (ts.isPropertyAccessExpression(node) && /^(process|crypto)\.\w+$/.test(said)) found.push(said)
      ts.forEachChild(node, visit)
    }
    visit(source)
    return found.map((what) => `${file}: ${what}`)
  }

  test('time, randomness and the environment come as arguments', () => {
    expect([...sources].filter(([file]) => isPure(file)).flatMap(([file, text]) => ambient(file, text))).toEqual([])
  })

  test.each(['new Date()', 'Date.now()', 'Math.random()', 'performance.now()', 'process.env', 'crypto.randomUUID'])(
    '%s would be found',
    (text) => {
      expect(ambient('functions/src/discovery/discover.ts', `export const found = ${text}`)).toHaveLength(1)
    },
  )
})
