import { describe, expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as z from 'zod'
import { paths } from '../../functions/src/documents.ts'
import { root } from '../stack/addresses.ts'
import { budgetCommands, describeAction, describePlan, planDeployment, quote, requiredApis } from './deploy-plan.ts'
import type { Action, Step } from './deploy-plan.ts'
import { localAddresses, runDeployment, withParameters } from '../deploy.ts'
import { Failure } from '../failure.ts'

const options = {
  project: 'koko-example-1',
  location: 'us-central1',
  webOrigin: 'https://koko-example-1.web.app',
  contact: 'reports@koko.example',
  budget: 50,
}
const plan = planDeployment(options)
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** The arguments of the one command that a step runs. */
function argumentsOf({ apply }: Step): readonly string[] {
  const [action] = apply
  return action?.kind === 'command' ? action.args : []
}

function stepOf(title: RegExp): Step {
  const found = plan.filter((step) => title.test(step.title))
  const [step] = found
  if (step === undefined || found.length > 1) throw new Error(`${found.length} steps are called that`)
  return step
}

describe('a deployment plan', () => {
  test.each([
    ['demo-koko'],
    ['demo-anything'],
    ['Koko-1'],
    ['short'],
    ['1koko-example'],
    ['koko-example-'],
    ['koko example'],
    ['koko;rm -rf'],
    [`koko-${'x'.repeat(30)}`],
    [''],
  ])('is refused for the project %j', (project) => {
    expect(() => planDeployment({ ...options, project })).toThrow(Failure)
  })

  test.each([
    { location: 'us central1' },
    { location: '$(id)' },
    { webOrigin: 'http://koko.example' },
    { webOrigin: 'https://koko.example/path' },
    { contact: '' },
    { contact: 'http://koko.example/report' },
    { contact: 'reports' },
    { contact: 'reports@koko.example\nExpires: never' },
    { contact: '<reports@koko.example>' },
    { budget: 0 },
    { budget: NaN },
    { budget: 1.5 },
  ])('is refused for %j', (wrong) => {
    expect(() => planDeployment({ ...options, ...wrong })).toThrow(Failure)
  })

  test('names the project in every command and request', () => {
    const actions = plan.flatMap(({ check, apply }) => [...(check === undefined ? [] : [check.action]), ...apply])
    for (const action of actions) {
      if (action.kind === 'command' && action.program !== 'npm') {
        expect(action.args.join(' ')).toMatch(/(--project[= ]|addfirebase )koko-example-1( |$)/)
      }
      if (action.kind === 'request') expect(action.url).toContain('/projects/koko-example-1')
    }
  })

  test('asks before every change that may not be repeated', () => {
    const unasked = plan.filter(({ check }) => check === undefined).map(({ title }) => title)
    expect(unasked).toEqual([
      'The tools are installed and signed in',
      'The parameters are saved',
      'Old images are deleted',
      'Functions and pages are built',
      'firebase.json has no emulator addresses',
      'Everything is deployed',
      'The deployment works',
    ])
    for (const { apply, byHand, isAdvice } of plan)
      expect(apply.length === 0 || isAdvice === true).toBe(byHand !== undefined)
  })

  test('passes the secret on standard input, never in an argument or a file', () => {
    const { apply } = stepOf(/has a value/)
    expect(apply).toEqual([
      {
        kind: 'command',
        program: 'gcloud',
        args: ['secrets', 'versions', 'add', 'KOKO_SECRET', '--data-file=-', '--project=koko-example-1'],
        input: 'new secret',
      },
    ])
  })

  test('excludes the logs with addresses before anything answers', () => {
    const titles = plan.map(({ title }) => title)
    expect(titles.indexOf('Request logs are not kept')).toBeLessThan(titles.indexOf('Everything is deployed'))
    const [action] = stepOf(/Request logs/).apply
    expect(action === undefined ? '' : describeAction(action)).toContain('log_id("run.googleapis.com/requests")')
  })

  test('replaces a log exclusion that is off or excludes less, in one change', () => {
    const filter = /,filter=(.*)$/.exec(
      argumentsOf(stepOf(/Request logs/)).find((each) => each.startsWith('--add')) ?? '',
    )
    const right = { name: 'koko-request-logs', filter: filter?.[1] }
    const sink = (...exclusions: object[]) => JSON.stringify({ name: '_Default', exclusions })
    const wrong = [
      { ...right, disabled: true },
      { ...right, filter: 'log_id("other")' },
    ]

    const replaced = stepOf(/No outdated exclusion/)
    expect(plan.indexOf(replaced)).toBeLessThan(plan.indexOf(stepOf(/Request logs/)))
    expect(argumentsOf(replaced)).toEqual(
      expect.arrayContaining([
        '--remove-exclusions=koko-request-logs',
        expect.stringMatching(/^--add-exclusion=name=koko-request-logs,/),
      ]),
    )
    for (const output of ['{"name": "_Default"}', sink(), sink({ name: 'another', filter: 'x' }), sink(right)]) {
      expect([output, replaced.check?.passes(output)]).toEqual([output, true])
    }
    for (const each of wrong) expect(replaced.check?.passes(sink(each))).toBe(false)

    const { check } = stepOf(/Request logs/)
    expect(check?.passes(sink({ name: 'another', filter: 'x' }, right))).toBe(true)
    for (const output of ['', '{}', sink(), ...wrong.map((each) => sink(each))]) {
      expect([output, check?.passes(output)]).toEqual([output, false])
    }
  })

  test('checks after the deployment that Firestore deletes what has expired', () => {
    const step = stepOf(/Firestore deletes/)
    expect(plan.indexOf(step)).toBeGreaterThan(plan.indexOf(stepOf(/Everything is deployed/)))
    const field = (collection: string, state?: string) => ({
      name: `projects/koko-example-1/databases/(default)/collectionGroups/${collection}/fields/expiresAt`,
      ...(state === undefined ? {} : { ttlConfig: { state } }),
    })
    const passes = (...fields: object[]) => step.check?.passes(JSON.stringify(fields))
    expect(passes(field('proofs', 'ACTIVE'), field('settingsLinks', 'CREATING'))).toBe(true)
    expect(passes()).toBe(false)
    expect(passes(field('proofs', 'ACTIVE'))).toBe(false)
    expect(passes(field('proofs', 'ACTIVE'), field('settingsLinks'))).toBe(false)
    expect(passes(field('proofs', 'ACTIVE'), field('settingsLinks', 'NEEDS_REPAIR'))).toBe(false)
    expect(step.check?.passes('')).toBe(false)
    expect(step.apply.map(describeAction)).toEqual(
      ['proofs', 'settingsLinks'].map(
        (collection) =>
          `gcloud firestore fields ttls update expiresAt --collection-group=${collection} '--database=(default)' --enable-ttl --async --project=koko-example-1`,
      ),
    )
  })

  test('creates a budget alert on the billing account that pays, unless the project has one', () => {
    const { find, list, create } = budgetCommands(options)
    expect(find.join(' ')).toBe('billing projects describe koko-example-1 --format=value(billingAccountName)')
    expect(list('billingAccounts/0X0X0X-0X0X0X-0X0X0X')).toEqual(
      expect.arrayContaining(['--billing-account=0X0X0X-0X0X0X-0X0X0X', '--filter=displayName=koko-koko-example-1']),
    )
    expect(create('billingAccounts/0X0X0X-0X0X0X-0X0X0X')).toEqual(
      expect.arrayContaining([
        '--budget-amount=50',
        '--display-name=koko-koko-example-1',
        '--filter-projects=projects/koko-example-1',
        '--threshold-rule=percent=1.0',
        '--threshold-rule=percent=1.0,basis=forecasted-spend',
      ]),
    )
    const step = stepOf(/budget alert/)
    // A host that may deploy may lack the right to see the billing account.
    expect(step).toMatchObject({ isAdvice: true, byHand: expect.stringContaining('/usage/details') })
    expect(requiredApis).toContain('billingbudgets.googleapis.com')
  })

  test('builds the pages with the contact that people report numbers to', () => {
    expect(stepOf(/are built/).apply.map(describeAction)).toEqual([
      'KOKO_CONTACT=reports@koko.example KOKO_WEB_ORIGIN=https://koko-example-1.web.app npm run build',
    ])
  })

  test('never upgrades Authentication to Identity Platform', () => {
    expect(describePlan(plan)).not.toMatch(/initializeAuth/)
    const { check } = stepOf(/not Identity Platform/)
    expect(check?.passes('{"name":"x","subtype":"FIREBASE_AUTH"}')).toBe(true)
    expect(check?.passes('{"name":"x","subtype":"IDENTITY_PLATFORM"}')).toBe(false)
  })

  test('detects which sign-in methods are on', () => {
    const { check } = stepOf(/anonymous sign-ins/)
    expect(check?.passes('{"signIn":{"email":{"enabled":false},"hashConfig":{}}}')).toBe(true)
    for (const way of ['email', 'phoneNumber', 'anonymous']) {
      expect(check?.passes(JSON.stringify({ signIn: { [way]: { enabled: true } } }))).toBe(false)
    }
    const providers = stepOf(/No other sign-in/).check
    expect(providers?.passes('{}')).toBe(true)
    expect(providers?.passes('{"defaultSupportedIdpConfigs":[{"name":"google.com","enabled": true}]}')).toBe(false)
  })

  test('passes with every API, and with no list that lacks one', () => {
    const { check } = stepOf(/APIs/)
    expect(check?.passes(requiredApis.join('\n'))).toBe(true)
    for (const api of requiredApis) {
      expect(check?.passes(requiredApis.filter((each) => each !== api).join('\n'))).toBe(false)
    }
  })

  test('gives the functions the account that they name', () => {
    expect(read('functions/src/index.ts')).toContain(
      'serviceAccount: `koko-runtime@${projectId}.iam.gserviceaccount.com`',
    )
    expect(stepOf(/account of their own/).check?.shows).toBe('koko-runtime@koko-example-1.iam.gserviceaccount.com')
  })

  test('deploys functions, rules with indexes, and pages, and nothing else', () => {
    expect(stepOf(/Everything is deployed/).apply.map(describeAction)).toEqual([
      'npx firebase deploy --config firebase.deploy.json --only functions,firestore,hosting --non-interactive --project koko-example-1',
    ])
    expect(plan.at(-1)?.title).toBe('The deployment works')
  })
})

describe('a printed command', () => {
  test.each([
    ['plain', 'plain'],
    ["it's", `'it'\\''s'`],
    ['a b', `'a b'`],
    ['$(id)', `'$(id)'`],
    ['`id`;&|<>', "'`id`;&|<>'"],
    ['', `''`],
    ['(default)', `'(default)'`],
  ])('quotes %j', (argument, quoted) => {
    expect(quote(argument)).toBe(quoted)
  })

  test('reaches a program through the shell word for word', () => {
    const commands = plan.flatMap(({ check, apply }) => [...(check === undefined ? [] : [check.action]), ...apply])
    for (const action of commands) {
      if (action.kind !== 'command') continue
      const line = action.args.map(quote).join(' ')
      const { stdout } = spawnSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' })
      expect(stdout.split('\0').slice(0, -1)).toEqual(action.args)
    }
  })
})

describe('a deployment', () => {
  const asked: Action = { kind: 'own', work: 'check tools', says: 'asked' }
  const applied: Action = { kind: 'own', work: 'smoke run', says: 'applied' }
  const step: Step = {
    title: 'A thing',
    why: 'because',
    check: { action: asked, shows: 'yes', passes: (output) => output === 'yes' },
    apply: [applied],
  }

  async function deploy(steps: readonly Step[], answers: (action: Action, count: number) => string) {
    const ran: string[] = []
    const lines: string[] = []
    const run = (action: Action) => {
      ran.push(describeAction(action))
      const output = answers(action, ran.length)
      return Promise.resolve({ ok: output !== 'failed', output })
    }
    const failure = await runDeployment(
      steps,
      run,
      (line) => lines.push(line),
      () => Promise.resolve(),
    ).then(
      () => null,
      (error: unknown) => String(error),
    )
    return { ran, lines, failure }
  }

  test('skips a step whose check passes', async () => {
    expect(await deploy([step], () => 'yes')).toEqual({ ran: ['asked'], lines: ['A thing: already'], failure: null })
  })

  test('runs a step whose check fails, and waits until it passes', async () => {
    const { ran, lines, failure } = await deploy([step], (_, count) => (count < 5 ? 'no' : 'yes'))
    expect({ ran, lines, failure }).toEqual({
      ran: ['asked', 'applied', 'asked', 'asked', 'asked'],
      lines: ['A thing: done'],
      failure: null,
    })
  })

  test('stops when a step fails, or its check never passes', async () => {
    const failing = await deploy([step, step], (action) => (action === applied ? 'failed' : 'no'))
    expect(failing.ran).toEqual(['asked', 'applied'])
    expect(failing.failure).toMatch(/A thing: failed\n {2}applied/)
    expect((await deploy([step], () => 'no')).failure).toMatch(/was set, but the check still fails/)
  })

  test('stops at a step that only the host can do, with the output of the check', async () => {
    const byHand = { ...step, apply: [], byHand: 'press the button' }
    const { ran, failure } = await deploy([byHand, step], () => 'failed')
    expect(ran).toEqual(['asked'])
    expect(failure).toMatch(/A thing: no\. because\n {2}press the button\n[^]*failed/)
  })

  test('continues with a warning after advice', async () => {
    const advice = { ...step, apply: [], byHand: 'decide', isAdvice: true }
    const { lines, failure } = await deploy([advice, step], (_, count) => (count === 1 ? 'no' : 'yes'))
    expect(failure).toBeNull()
    expect(lines).toEqual(['WARNING  A thing: no. because\n  decide', 'A thing: already'])
  })

  test('continues with a warning if advice cannot be carried out', async () => {
    const advice = { ...step, byHand: 'ask who may', isAdvice: true }
    const { ran, lines, failure } = await deploy([advice, step], (action, count) =>
      action === applied ? 'failed' : count > 2 ? 'yes' : 'no',
    )
    expect({ ran, failure }).toEqual({ ran: ['asked', 'applied', 'asked'], failure: null })
    expect(lines).toEqual(['WARNING  A thing: no. because\n  ask who may\nfailed', 'A thing: already'])
  })
})

describe('npm run deploy', () => {
  const deploy = (...given: string[]) =>
    spawnSync(process.execPath, [join(root, 'scripts', 'deploy.ts'), ...given], {
      encoding: 'utf8',
      // No programs and no credentials.
      env: { PATH: '/nonexistent', HOME: '/nonexistent' },
    })

  const given = ['--project', 'koko-example-1', '--contact', 'reports@koko.example']

  test('prints every step with --dry-run, without a tool or a credential', () => {
    const { status, stdout, stderr } = deploy(...given, '--dry-run')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    for (const [index, { title }] of plan.entries()) expect(stdout).toContain(`${index + 1}. ${title}\n`)
    expect(stdout).toMatch(/Nothing was run\.\n$/)
  })

  test.each([
    [[]],
    [['--project', 'demo-koko', '--contact', 'reports@koko.example']],
    [['--project', 'koko-example-1']],
    [[...given, '--budget', 'much']],
    [[...given, '--region', 'europe-west1']],
  ])('refuses %j in a few lines', (given) => {
    const { status, stdout, stderr } = deploy(...given)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  test('says which program is missing', () => {
    const { status, stderr } = deploy(...given)
    expect(status).toBe(1)
    expect(stderr).toMatch(/gcloud is missing: https:\/\/cloud\.google\.com\/sdk/)
  })
})

describe('the parameters', () => {
  const values = { WEB_API_KEY: 'key', WEB_ORIGIN: 'https://koko.example' }

  test('are all in the file, because firebase deploy uses no default without a terminal', () => {
    const source = read('functions/src/index.ts')
    const defined = [...source.matchAll(/define(?:Int|String|Boolean|Float|List)\(\s*'([A-Z_]+)'/g)].map(
      ([, name]) => name,
    )
    expect(defined.length).toBeGreaterThanOrEqual(3)
    const written = withParameters('', values)
    for (const name of defined) expect(written).toMatch(new RegExp(`^${name ?? ''}=.+$`, 'm'))
    const cost = /'REGISTRATION_COST', \{\s*default: ([\d_]+)/.exec(source)?.[1]?.replaceAll('_', '')
    expect(written).toContain(`REGISTRATION_COST=${cost ?? ''}\n`)
  })

  test('are the same after a second run, which keeps what the host wrote', () => {
    const once = withParameters('# mine\nREGISTRATION_COST=50000\nWEB_ORIGIN=https://old.example\n', values)
    expect(once).toBe('# mine\nREGISTRATION_COST=50000\nWEB_API_KEY=key\nWEB_ORIGIN=https://koko.example\n')
    expect(withParameters(once, values)).toBe(once)
  })
})

test('firebase.json names a local address for emulators only', () => {
  expect(localAddresses(JSON.parse(read('firebase.json')) as object)).toEqual([])
  expect(localAddresses({ hosting: { headers: ['http://127.0.0.1:9099'] }, emulators: 'localhost' })).toEqual([
    '127.0.0.1',
  ])
})

describe('firestore.indexes.json', () => {
  const Indexes = z.strictObject({
    indexes: z.array(z.unknown()),
    fieldOverrides: z.array(
      z.strictObject({
        collectionGroup: z.string(),
        fieldPath: z.string(),
        ttl: z.literal(true).optional(),
        indexes: z.array(z.strictObject({ order: z.literal('ASCENDING'), queryScope: z.literal('COLLECTION') })),
      }),
    ),
  })
  const spec = Indexes.parse(JSON.parse(read('firestore.indexes.json')))
  const overrides = (kept: (override: (typeof spec.fieldOverrides)[number]) => boolean) =>
    spec.fieldOverrides.filter(kept).map(({ collectionGroup, fieldPath }) => `${collectionGroup} ${fieldPath}`)

  /** Every collection that there is, by its id. */
  const collections = Object.values(paths).flatMap((path) => {
    const shown = typeof path === 'string' ? path : (path as (...parts: string[]) => string)('dating', 'id')
    const parts = shown.split('/')
    return parts.filter((_, index) => index % 2 === 0).filter((id) => id !== 'mcpDirectory')
  })

  test('exempts every collection from automatic indexes, so that none reveals who has a number', () => {
    expect(overrides(({ fieldPath, indexes }) => fieldPath === '*' && indexes.length === 0).sort()).toEqual(
      [...new Set(collections)].sort().map((id) => `${id} *`),
    )
  })

  test('keeps exactly the indexes that a query needs', () => {
    const sources = readdirSync(join(root, 'functions/src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      /^[a-z/-]+\.ts$/.test(name),
    )
    const queried = sources.flatMap((name) =>
      [...read(`functions/src/${name}`).matchAll(/\bfield: '([\w.]+)'/g)].map(([, field]) => field),
    )
    const kept = spec.fieldOverrides.filter(({ indexes }) => indexes.length > 0).map(({ fieldPath }) => fieldPath)
    expect(kept.sort()).toEqual([...new Set(queried)].sort())
  })

  test('lets Firestore delete proofs and settings links by a Timestamp, without an index', () => {
    expect(overrides(({ ttl, indexes }) => ttl === true && indexes.length === 0)).toEqual([
      'proofs expiresAt',
      'settingsLinks expiresAt',
    ])
    // The API refuses a TTL policy for all fields, which is what firebase-tools sends for any `ttl`.
    expect(overrides(({ ttl, fieldPath }) => ttl !== undefined && fieldPath === '*')).toEqual([])
  })

  test('is valid for firebase-tools', () => {
    const { FirestoreApi } = createRequire(import.meta.url)('firebase-tools/lib/firestore/api') as {
      FirestoreApi: new () => { validateSpec: (indexes: unknown) => void }
    }
    expect(() => new FirestoreApi().validateSpec(spec)).not.toThrow()
    expect(() => new FirestoreApi().validateSpec({ indexes: [], fieldOverrides: [{ fieldPath: 'x' }] })).toThrow()
  })
})
