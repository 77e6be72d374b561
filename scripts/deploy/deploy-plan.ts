import indexes from '../../firestore.indexes.json' with { type: 'json' }
import { isContact } from '../../web/contact.ts'
import { deployConfigName } from '../hosting-config.ts'
import { region } from '../stack/addresses.ts'
import { Failure } from '../failure.ts'

/** The account that the functions run as; `functions/src/index.ts` names it. */
const runtimeName = 'koko-runtime'
const secretName = 'KOKO_SECRET'
/** The repository in which Cloud Functions keeps its images. */
const imageRepository = 'gcf-artifacts'
const exclusionName = 'koko-request-logs'
const signInMethods = ['email', 'phoneNumber', 'anonymous']

/** Functions of the second generation, and what they call. */
export const requiredApis = [
  ...[
    'artifactregistry',
    'billingbudgets',
    'cloudbilling',
    'cloudbuild',
    'cloudfunctions',
    'cloudresourcemanager',
    'cloudscheduler',
  ],
  ...['eventarc', 'firebase', 'firebasehosting', 'firebaserules', 'firestore', 'iam', 'iamcredentials'],
  ...['identitytoolkit', 'logging', 'pubsub', 'run', 'secretmanager', 'securetoken', 'serviceusage', 'storage'],
].map((name) => `${name}.googleapis.com`)

/** Request logs hold IP addresses and user agents. Hosting writes them only where a host has linked its logs. */
const excludedLogs =
  'log_id("run.googleapis.com/requests") OR log_id("firebasehosting.googleapis.com/webrequests") OR resource.type="http_load_balancer"'

export interface DeployOptions {
  project: string
  /** The location of a new database, which cannot be changed later. */
  location: string
  /** The origin of the pages. */
  webOrigin: string
  /** Where people report their number to the host: an email address or a page. The pages show it. */
  contact: string
  /** Of a month, in the currency of the billing account. At half of it, and above, Google sends an email. */
  budget: number
}

export type OwnWork =
  'check tools' | 'find budget' | 'create budget' | 'write parameters' | 'check firebase.json' | 'smoke run'

/** A program, a request with the host's credentials, or work that `scripts/deploy.ts` does in its own process. */
export type Action =
  | {
      kind: 'command'
      program: 'gcloud' | 'firebase' | 'npm'
      args: readonly string[]
      input?: 'new secret'
      env?: Readonly<Record<string, string>>
    }
  | { kind: 'request'; method: 'GET' | 'PATCH'; url: string; body?: object }
  | { kind: 'own'; work: OwnWork; says: string }

interface Check {
  action: Action
  /** What the output must show, in words and as a test. */
  shows: string
  passes: (output: string) => boolean
}

export interface Step {
  title: string
  why: string
  /** Runs before `apply` and again after it. A step whose check passes at first changes nothing. */
  check?: Check
  /** Empty if only the host can do it. */
  apply: readonly Action[]
  /** What the host does if `apply` is empty, or fails and is advice. */
  byHand?: string
  /** What does not pass or cannot be done is a warning, not an error. */
  isAdvice?: boolean
}

/** Project ids: https://cloud.google.com/resource-manager/docs/creating-managing-projects */
function assertDeployable({ project, location, webOrigin, contact, budget }: DeployOptions): void {
  if (!/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(project)) {
    throw new Failure('--project must be a project id: 6 to 30 characters of a–z, 0–9 and -, beginning with a letter.')
  }
  if (project.startsWith('demo-')) {
    throw new Failure(
      'A project whose id begins with demo- exists only in the emulators. To use them, run "npm start".',
    )
  }
  if (!/^[a-z]+[0-9]?(-[a-z]+[0-9]+)?$/.test(location)) {
    throw new Failure('--location must be a location of Firestore, such as us-central1 or eur3.')
  }
  if (!/^https:\/\/[a-z0-9.-]+$/.test(webOrigin)) {
    throw new Failure('--web-origin must be an https origin without a path, such as https://koko.example.')
  }
  if (!isContact(contact)) {
    throw new Failure(
      '--contact must be an email address or the address of an https page. /report shows it to people who report their number.',
    )
  }
  if (!Number.isInteger(budget) || budget < 1) {
    throw new Failure('--budget must be a whole number, in your currency, such as 50.')
  }
}

/** Every step of a deployment, in order. Planning runs nothing, and running the plan twice changes nothing more. */
export function planDeployment(options: DeployOptions): Step[] {
  assertDeployable(options)
  const { project, location, webOrigin, contact, budget } = options
  const runtime = `${runtimeName}@${project}.iam.gserviceaccount.com`
  const member = `serviceAccount:${runtime}`
  const consoleUrl = `https://console.firebase.google.com/project/${project}`
  const authUrl = `https://identitytoolkit.googleapis.com/admin/v2/projects/${project}`

  /** The words of a command, then the arguments that contain spaces. */
  const gcloud = (words: string, ...spaced: string[]): Action => ({
    kind: 'command',
    program: 'gcloud',
    args: [...words.split(' '), ...spaced, `--project=${project}`],
  })
  const firebase = (words: string): Action => ({
    kind: 'command',
    program: 'firebase',
    args: [...words.split(' '), '--non-interactive', '--project', project],
  })
  const get = (url: string): Action => ({ kind: 'request', method: 'GET', url })
  const own = (work: OwnWork, says: string): Action => ({ kind: 'own', work, says })
  const prints = (expected: string, action: Action): Check => ({
    action,
    shows: expected,
    passes: (output) => output.trim() === expected,
  })
  const printsAny = (shows: string, action: Action): Check => ({
    action,
    shows,
    passes: (output) => output.trim() !== '',
  })
  const roleOn = (group: string, resource: string, role: string, ...flags: string[]) => ({
    check: prints(
      role,
      gcloud(
        `${group} get-iam-policy ${resource} --flatten=bindings[].members --format=value(bindings.role)`,
        `--filter=bindings.members=${member} AND bindings.role=${role}`,
      ),
    ),
    apply: [gcloud(`${group} add-iam-policy-binding ${resource} --member=${member} --role=${role}`, ...flags)],
  })
  const projectRole = (role: string, why: string): Step => ({
    title: `The functions have ${role}`,
    why,
    ...roleOn('projects', project, role, '--condition=None'),
  })
  const describeSink = gcloud('logging sinks describe _Default --format=json')
  const addExclusion = `--add-exclusion=name=${exclusionName},description=No addresses of callers,filter=${excludedLogs}`
  const decideOnBackups = { apply: [], byHand: 'decide: docs/hosting.md, Backup and erasure', isAdvice: true }

  return [
    {
      title: 'The tools are installed and signed in',
      why: 'gcloud sets up the project; firebase deploys. Only the emulators need Java.',
      apply: [own('check tools', 'gcloud and firebase answer, and each has a session')],
    },
    {
      title: 'The project exists',
      why: 'Everything below belongs to it.',
      check: prints('ACTIVE', gcloud(`projects describe ${project} --format=value(lifecycleState)`)),
      apply: [],
      byHand: `create it at https://console.firebase.google.com, without Google Analytics, with the id ${project}`,
    },
    {
      title: 'Billing is on (the Blaze plan)',
      why: 'Cloud Functions, Secret Manager and Cloud Scheduler need it.',
      check: prints('True', gcloud(`billing projects describe ${project} --format=value(billingEnabled)`)),
      apply: [],
      byHand: `link a billing account at ${consoleUrl}/usage/details`,
    },
    {
      title: 'The APIs are enabled',
      why: 'Functions of the second generation are Cloud Run, built by Cloud Build, called by Scheduler and Hosting.',
      check: {
        action: gcloud('services list --enabled --format=value(config.name)'),
        shows: `all ${requiredApis.length} of them`,
        passes: (output) => requiredApis.every((api) => output.split(/\s+/).includes(api)),
      },
      apply: [gcloud(`services enable ${requiredApis.join(' ')}`)],
    },
    {
      title: 'There is a budget alert',
      why: `Google sends an email at half of ${budget} a month, at nine tenths, and when more is spent or forecast. It stops nothing. An existing budget stays as it is.`,
      check: {
        action: own(
          'find budget',
          `gcloud ${budgetCommands(options).list('<the billing account>').map(quote).join(' ')}`,
        ),
        shows: 'its name',
        passes: (output) => output.trim() !== '',
      },
      apply: [
        own('create budget', `gcloud ${budgetCommands(options).create('<the billing account>').map(quote).join(' ')}`),
      ],
      byHand: `set one at ${consoleUrl}/usage/details, or ask who may: the role is Billing Account Costs Manager`,
      isAdvice: true,
    },
    {
      title: 'The project is a Firebase project',
      why: 'Hosting, Authentication and the rules come with that.',
      check: {
        action: get(`https://firebase.googleapis.com/v1beta1/projects/${project}`),
        shows: `its projectId`,
        passes: (output) => field(output, 'projectId') === project,
      },
      apply: [{ kind: 'command', program: 'firebase', args: ['projects:addfirebase', project, '--non-interactive'] }],
    },
    {
      title: 'No outdated exclusion of request logs is left',
      why: 'An exclusion of the same name that is off, or has another filter, would keep addresses. It is replaced in one change.',
      check: {
        action: describeSink,
        shows: `${exclusionName} on and with the filter below, or no ${exclusionName}`,
        passes: (output) => exclusionsIn(output).every(({ name }) => name !== exclusionName) || excludes(output),
      },
      apply: [gcloud('logging sinks update _Default', `--remove-exclusions=${exclusionName}`, addExclusion)],
    },
    {
      title: 'Request logs are not kept',
      why: "They hold IP addresses and user agents. Google does not allow administrators' audit logs to be switched off.",
      check: {
        action: describeSink,
        shows: `${exclusionName} on and with this filter`,
        passes: excludes,
      },
      apply: [gcloud('logging sinks update _Default', addExclusion)],
    },
    {
      title: 'The database exists, in Native mode',
      why: `Its location, ${location}, cannot be changed later. Delete protection keeps it from being deleted by mistake.`,
      check: prints(
        'FIRESTORE_NATIVE',
        gcloud('firestore databases describe --database=(default) --format=value(type)'),
      ),
      apply: [
        gcloud(
          `firestore databases create --database=(default) --location=${location} --type=firestore-native --delete-protection`,
        ),
      ],
    },
    {
      title: 'Point-in-time recovery is off',
      why: 'It keeps each deleted handle for seven days. If you turn it on, say so on the privacy page.',
      check: prints(
        'POINT_IN_TIME_RECOVERY_DISABLED',
        gcloud('firestore databases describe --database=(default) --format=value(pointInTimeRecoveryEnablement)'),
      ),
      ...decideOnBackups,
    },
    {
      title: 'There are no scheduled backups',
      why: 'A backup keeps deleted handles until it expires.',
      check: {
        ...prints('', gcloud('firestore backups schedules list --database=(default) --format=value(name)')),
        shows: 'none',
      },
      ...decideOnBackups,
    },
    {
      title: 'Authentication is set up',
      why: 'Google offers no command for it that does not also upgrade to Identity Platform, which charges for each active agent.',
      check: {
        action: get(`${authUrl}/config`),
        shows: 'a configuration',
        passes: (output) => field(output, 'name') !== undefined,
      },
      apply: [],
      byHand: `press "Get started", and nothing after that, at ${consoleUrl}/authentication`,
    },
    {
      title: 'Authentication is not Identity Platform',
      why: 'Above 50,000 agents a month, Identity Platform costs about $0.0046 for each; Firebase Authentication costs nothing.',
      check: {
        action: get(`${authUrl}/config`),
        shows: 'a subtype other than IDENTITY_PLATFORM',
        passes: (output) => field(output, 'subtype') !== 'IDENTITY_PLATFORM',
      },
      apply: [],
      byHand: 'it cannot be undone: use a new project, or accept the price',
      isAdvice: true,
    },
    {
      title: 'Passwords, phones and anonymous sign-ins are off',
      why: 'Agents sign in with custom tokens. The functions refuse every other sign-in; this also prevents its records.',
      check: {
        action: get(`${authUrl}/config`),
        shows: 'signIn.email, signIn.phoneNumber and signIn.anonymous not enabled',
        passes: (output) => signInMethods.every((method) => field(output, 'signIn', method, 'enabled') !== true),
      },
      apply: [
        {
          kind: 'request',
          method: 'PATCH',
          url: `${authUrl}/config?updateMask=${signInMethods.map((method) => `signIn.${method}.enabled`).join(',')}`,
          body: { signIn: Object.fromEntries(signInMethods.map((method) => [method, { enabled: false }])) },
        },
      ],
    },
    {
      title: 'No other sign-in provider is on',
      why: 'Google, Apple and similar providers would create sign-in records with names and addresses of people.',
      check: {
        action: get(`${authUrl}/defaultSupportedIdpConfigs?pageSize=100`),
        shows: 'no provider that is enabled',
        passes: (output) => !/"enabled":\s*true/.test(output),
      },
      apply: [],
      byHand: `switch them off at ${consoleUrl}/authentication/providers`,
    },
    {
      title: 'The functions have an account of their own',
      why: "The platform's default account may edit the whole project.",
      check: prints(runtime, gcloud(`iam service-accounts describe ${runtime} --format=value(email)`)),
      apply: [gcloud(`iam service-accounts create ${runtimeName}`, '--display-name=Koko functions')],
    },
    projectRole('roles/datastore.user', 'They read and write documents.'),
    projectRole('roles/firebaseauth.admin', "They end an agent's sessions and delete its sign-in."),
    {
      title: 'The functions may sign custom tokens',
      why: 'The account signs a custom token as itself, through the IAM Credentials API (signBlob).',
      ...roleOn('iam service-accounts', runtime, 'roles/iam.serviceAccountTokenCreator', '--condition=None'),
    },
    {
      title: `The secret ${secretName} exists`,
      why: 'Page tokens, challenges, and the hashes of handles that were taken down depend on it.',
      check: printsAny('its name', gcloud(`secrets describe ${secretName} --format=value(name)`)),
      apply: [gcloud(`secrets create ${secretName} --replication-policy=automatic`)],
    },
    {
      title: `${secretName} has a value`,
      why: '32 random bytes, passed on standard input: no argument, file or terminal ever holds them. An existing value stays.',
      check: printsAny(
        'an enabled version',
        gcloud(`secrets versions list ${secretName} --filter=state=ENABLED --limit=1 --format=value(name)`),
      ),
      apply: [
        {
          kind: 'command',
          program: 'gcloud',
          args: ['secrets', 'versions', 'add', secretName, '--data-file=-', `--project=${project}`],
          input: 'new secret',
        },
      ],
    },
    {
      title: `Only the functions read ${secretName}`,
      why: 'The role is given on this secret, not on the project.',
      ...roleOn('secrets', secretName, 'roles/secretmanager.secretAccessor'),
    },
    {
      title: 'There is a web app',
      why: 'Its API key tells Authentication which project a sign-in is for. It is public: /api/v1/config shows it.',
      check: {
        action: { kind: 'command', program: 'firebase', args: ['apps:list', 'WEB', '--json', '--project', project] },
        shows: 'an app',
        passes: (output) => output.includes('"appId":'),
      },
      apply: [firebase('apps:create WEB koko')],
    },
    {
      title: 'The parameters are saved',
      why: 'firebase deploy reads them from this file. Without a terminal it cannot ask for a missing one, and fails.',
      apply: [
        own(
          'write parameters',
          `functions/.env.${project} gets WEB_API_KEY, as "firebase apps:sdkconfig WEB" shows it, WEB_ORIGIN=${webOrigin}, and REGISTRATION_COST unless it is there; its other lines stay`,
        ),
      ],
    },
    {
      title: 'The images have a repository',
      why: 'It exists before the first deployment, so that old images can be deleted from then on.',
      check: printsAny(
        'its name',
        gcloud(`artifacts repositories describe ${imageRepository} --location=${region} --format=value(name)`),
      ),
      apply: [
        gcloud(`artifacts repositories create ${imageRepository} --repository-format=docker --location=${region}`),
      ],
    },
    {
      title: 'Old images are deleted',
      why: 'Each deployment leaves some, which cost storage. Without a policy, firebase deploy ends in an error.',
      apply: [firebase(`functions:artifacts:setpolicy --location ${region} --days 3 --force`)],
    },
    {
      title: 'Functions and pages are built',
      why: 'firebase deploy sends functions/dist and web/dist as they are.',
      apply: [
        {
          kind: 'command',
          program: 'npm',
          args: ['run', 'build'],
          env: { KOKO_CONTACT: contact, KOKO_WEB_ORIGIN: webOrigin },
        },
      ],
    },
    {
      title: 'firebase.json has no emulator addresses',
      why: "The emulators' addresses are only for pages on this machine. They must not be deployed.",
      apply: [
        own(
          'check firebase.json',
          'no 127.0.0.1 or localhost in the functions, firestore and hosting of firebase.json',
        ),
      ],
    },
    {
      title: 'Everything is deployed',
      why: 'npm run build wrote the configuration: firebase.json, with the names of the built files. Rules, indexes, exemptions and TTL policies are in firestore.indexes.json and firestore.rules.',
      apply: [firebase(`deploy --config ${deployConfigName} --only functions,firestore,hosting`)],
    },
    {
      title: 'Firestore deletes what has expired',
      why: 'Used proofs of work and settings links would otherwise stay for good.',
      check: {
        action: gcloud('firestore fields ttls list --database=(default) --format=json'),
        shows: `${expiring.map(({ collectionGroup, fieldPath }) => `${collectionGroup}.${fieldPath}`).join(' and ')} with ttlConfig.state ACTIVE or CREATING`,
        passes: (output) =>
          expiring.every(({ collectionGroup, fieldPath }) =>
            elements(output).some(
              (each) =>
                String(at(each, 'name')).endsWith(`/collectionGroups/${collectionGroup}/fields/${fieldPath}`) &&
                ['ACTIVE', 'CREATING'].includes(String(at(each, 'ttlConfig', 'state'))),
            ),
          ),
      },
      apply: expiring.map(({ collectionGroup, fieldPath }) =>
        gcloud(
          `firestore fields ttls update ${fieldPath} --collection-group=${collectionGroup} --database=(default) --enable-ttl --async`,
        ),
      ),
    },
    {
      title: 'The deployment works',
      why: 'Two fictional agents register, publish, discover, unlink, open the settings and unregister. They leave nothing behind.',
      apply: [own('smoke run', `npm run smoke -- --origin ${webOrigin}`)],
    },
  ]
}

/** The collections in which Firestore deletes documents after a time that they hold. */
const expiring = indexes.fieldOverrides.filter((override) => 'ttl' in override)

/** The arguments for gcloud that find out who pays for the project, and give that billing account a budget for it. */
export function budgetCommands({ project, budget }: DeployOptions) {
  const name = `koko-${project}`
  const of = (account: string) => [
    `--billing-account=${account.replace(/^billingAccounts\//, '')}`,
    // Whose quota of the API is used.
    `--billing-project=${project}`,
  ]
  return {
    find: ['billing', 'projects', 'describe', project, '--format=value(billingAccountName)'],
    list: (account: string) => [
      ...['billing', 'budgets', 'list', ...of(account)],
      `--filter=displayName=${name}`,
      '--format=value(name)',
    ],
    create: (account: string) => [
      ...['billing', 'budgets', 'create', ...of(account)],
      `--display-name=${name}`,
      `--budget-amount=${budget}`,
      `--filter-projects=projects/${project}`,
      ...['0.5', '0.9', '1.0'].map((percent) => `--threshold-rule=percent=${percent}`),
      '--threshold-rule=percent=1.0,basis=forecasted-spend',
    ],
  }
}

interface Exclusion {
  name: unknown
  filter: unknown
  disabled: unknown
}

function exclusionsIn(sink: string): Exclusion[] {
  const exclusions = field(sink, 'exclusions')
  if (!Array.isArray(exclusions)) return []
  return exclusions.map((each) => ({
    name: at(each, 'name'),
    filter: at(each, 'filter'),
    disabled: at(each, 'disabled'),
  }))
}

/** Whether a sink, as JSON, leaves out the logs that hold addresses. */
function excludes(sink: string): boolean {
  return exclusionsIn(sink).some(
    ({ name, filter, disabled }) => name === exclusionName && filter === excludedLogs && disabled !== true,
  )
}

/** The elements of a JSON array; none for anything else. */
function elements(json: string): unknown[] {
  const value = field(json)
  return Array.isArray(value) ? value : []
}

/** A field of a JSON object, by its path. */
function field(json: string, ...path: string[]): unknown {
  try {
    return at(JSON.parse(json), ...path)
  } catch {
    return undefined
  }
}

function at(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (found, key) => (typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined),
    value,
  )
}

/** The plan for people: every step, with its check and what it would run. */
export function describePlan(steps: readonly Step[]): string {
  return steps
    .map(({ title, why, check, apply, byHand, isAdvice }, index) => {
      const lines = [`${index + 1}. ${title}`, `   ${why}`]
      if (check !== undefined) {
        lines.push(`   asks    ${describeAction(check.action)}`, `   wants   ${check.shows}`)
      }
      const label = check === undefined ? 'runs ' : 'else '
      for (const action of apply) lines.push(`   ${label}   ${describeAction(action)}`)
      if (byHand !== undefined) lines.push(`   ${isAdvice === true ? 'or warns' : 'else you'} ${byHand}`)
      return lines.join('\n')
    })
    .join('\n\n')
}

/** An action as it could be typed. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case 'command': {
      const program = action.program === 'firebase' ? 'npx firebase' : action.program
      const input = action.input === undefined ? '' : "head -c 32 /dev/urandom | basenc --base64url -w 0 | tr -d '=' | "
      const env = Object.entries(action.env ?? {}).map(([name, value]) => `${name}=${quote(value)} `)
      return `${input}${env.join('')}${program} ${action.args.map(quote).join(' ')}`
    }
    case 'request':
      return `${action.method} ${action.url}${action.body === undefined ? '' : ` ${JSON.stringify(action.body)}`}`
    case 'own':
      return action.says
  }
}

/** An argument quoted as one word for a POSIX shell. */
export function quote(argument: string): string {
  return /^[A-Za-z0-9_/:=.,@%+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`
}
