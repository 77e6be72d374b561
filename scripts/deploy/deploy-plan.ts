import { region } from '../stack/addresses.ts'
import { Failure } from '../failure.ts'

/** The account that the functions run as; `functions/src/index.ts` names it. */
const runtimeName = 'koko-runtime'
const secretName = 'KOKO_SECRET'
/** Cloud Functions keeps its images there, under this name. */
const imageRepository = 'gcf-artifacts'
const exclusionName = 'koko-request-logs'

/** What must be switched on: functions of the second generation, and what they call. */
export const requiredApis = [
  'artifactregistry.googleapis.com',
  'cloudbilling.googleapis.com',
  'cloudbuild.googleapis.com',
  'cloudfunctions.googleapis.com',
  'cloudresourcemanager.googleapis.com',
  'cloudscheduler.googleapis.com',
  'eventarc.googleapis.com',
  'firebase.googleapis.com',
  'firebasehosting.googleapis.com',
  'firebaserules.googleapis.com',
  'firestore.googleapis.com',
  'iam.googleapis.com',
  'iamcredentials.googleapis.com',
  'identitytoolkit.googleapis.com',
  'logging.googleapis.com',
  'pubsub.googleapis.com',
  'run.googleapis.com',
  'secretmanager.googleapis.com',
  'securetoken.googleapis.com',
  'serviceusage.googleapis.com',
  'storage.googleapis.com',
]

/** Request logs hold IP addresses and user agents; of Hosting's only where a host has linked them. */
export const excludedLogs =
  'log_id("run.googleapis.com/requests") OR log_id("firebasehosting.googleapis.com/webrequests") OR resource.type="http_load_balancer"'

export interface DeployOptions {
  project: string
  /** Where a new database is; it stays there for good. */
  location: string
  /** Where the pages are, if on a domain of the host's own. */
  webOrigin: string
}

/** One thing that is run: a program, a request with the host's credentials, or work of the runner's own. */
export type Action =
  | { kind: 'command'; program: 'gcloud' | 'firebase' | 'npm'; args: readonly string[]; input?: 'new secret' }
  | { kind: 'request'; method: 'GET' | 'PATCH'; url: string; body?: object }
  | { kind: 'own'; work: 'check tools' | 'write parameters' | 'check firebase.json' | 'smoke run'; says: string }

export interface Check {
  action: Action
  /** What the output must show, in words and as a test. */
  shows: string
  passes: (output: string) => boolean
}

export interface Step {
  title: string
  why: string
  /** Asked first, and again after `apply`; where it passes at first, nothing is changed. */
  check?: Check
  /** What brings it about; nothing where only the host can. */
  apply: readonly Action[]
  /** What the host does where `apply` is empty. */
  byHand?: string
  /** Goes on, with a warning, where the check does not pass. */
  isAdvice?: boolean
}

/** Throws for what is no project id (https://cloud.google.com/resource-manager/docs/creating-managing-projects). */
export function assertDeployable({ project, location, webOrigin }: DeployOptions): void {
  if (!/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(project)) {
    throw new Failure('--project takes a project id: 6 to 30 of a–z, 0–9 and -, beginning with a letter')
  }
  if (project.startsWith('demo-')) {
    throw new Failure('a project whose id begins with demo- exists in the emulators alone: run "npm start"')
  }
  if (!/^[a-z]+[0-9]?(-[a-z]+[0-9]+)?$/.test(location)) {
    throw new Failure('--location takes a location of Firestore, such as us-central1 or eur3')
  }
  if (!/^https:\/\/[a-z0-9.-]+$/.test(webOrigin)) {
    throw new Failure('--web-origin takes an origin, such as https://koko.example')
  }
}

/** Every step of a deployment, in order. It reads nothing and asks nobody; running it twice changes nothing more. */
export function planDeployment(options: DeployOptions): Step[] {
  assertDeployable(options)
  const { project, location } = options
  const runtime = `${runtimeName}@${project}.iam.gserviceaccount.com`
  const member = `serviceAccount:${runtime}`
  const inProject = `--project=${project}`
  const gcloud = (...args: string[]): Action => ({ kind: 'command', program: 'gcloud', args: [...args, inProject] })
  const firebase = (...args: string[]): Action => ({
    kind: 'command',
    program: 'firebase',
    args: [...args, '--non-interactive', '--project', project],
  })
  const auth = `https://identitytoolkit.googleapis.com/admin/v2/projects/${project}`
  const authConfig: Action = { kind: 'request', method: 'GET', url: `${auth}/config` }
  const is = (expected: string) => (output: string) => output.trim() === expected
  const isThere = (output: string) => output.trim() !== ''

  const projectRole = (role: string, why: string): Step => ({
    title: `The functions have ${role}`,
    why,
    check: {
      action: gcloud(
        'projects',
        'get-iam-policy',
        project,
        '--flatten=bindings[].members',
        `--filter=bindings.members=${member} AND bindings.role=${role}`,
        '--format=value(bindings.role)',
      ),
      shows: role,
      passes: is(role),
    },
    apply: [
      gcloud('projects', 'add-iam-policy-binding', project, `--member=${member}`, `--role=${role}`, '--condition=None'),
    ],
  })

  return [
    {
      title: 'The tools are here, and signed in',
      why: 'gcloud sets the project up; firebase deploys. Java is for the emulators alone.',
      apply: [{ kind: 'own', work: 'check tools', says: 'gcloud and firebase answer, and each has a session' }],
    },
    {
      title: 'The project exists',
      why: 'Everything below belongs to it.',
      check: {
        action: gcloud('projects', 'describe', project, '--format=value(lifecycleState)'),
        shows: 'ACTIVE',
        passes: is('ACTIVE'),
      },
      apply: [],
      byHand: `create it at https://console.firebase.google.com, without Google Analytics, with the id ${project}`,
    },
    {
      title: 'Billing is on (the Blaze plan)',
      why: 'Cloud Functions, Secret Manager and Cloud Scheduler need it. Set a budget alert at the same place.',
      check: {
        action: gcloud('billing', 'projects', 'describe', project, '--format=value(billingEnabled)'),
        shows: 'True',
        passes: is('True'),
      },
      apply: [],
      byHand: `link a billing account at https://console.firebase.google.com/project/${project}/usage/details`,
    },
    {
      title: 'The APIs are enabled',
      why: 'Functions of the second generation are Cloud Run, built by Cloud Build, called by Scheduler and Hosting.',
      check: {
        action: gcloud('services', 'list', '--enabled', '--format=value(config.name)'),
        shows: `all ${requiredApis.length} of them`,
        passes: (output) => requiredApis.every((api) => output.split(/\s+/).includes(api)),
      },
      apply: [gcloud('services', 'enable', ...requiredApis)],
    },
    {
      title: 'The project is a Firebase project',
      why: 'Hosting, Authentication and the rules come with that.',
      check: {
        action: { kind: 'request', method: 'GET', url: `https://firebase.googleapis.com/v1beta1/projects/${project}` },
        shows: `its projectId`,
        passes: (output) => field(output, 'projectId') === project,
      },
      apply: [{ kind: 'command', program: 'firebase', args: ['projects:addfirebase', project, '--non-interactive'] }],
    },
    {
      title: 'Request logs are not kept',
      why: 'They hold IP addresses and user agents. Audit logs of administrators stay: Google lets nobody switch them off.',
      check: {
        action: gcloud('logging', 'sinks', 'describe', '_Default', '--format=value(exclusions.name)'),
        shows: exclusionName,
        passes: (output) => output.split(/[\s;]+/).includes(exclusionName),
      },
      apply: [
        gcloud(
          'logging',
          'sinks',
          'update',
          '_Default',
          `--add-exclusion=name=${exclusionName},description=No addresses of callers,filter=${excludedLogs}`,
        ),
      ],
    },
    {
      title: 'The database exists, in Native mode',
      why: `Its location, ${location}, is for good. It cannot be deleted by mistake.`,
      check: {
        action: gcloud('firestore', 'databases', 'describe', '--database=(default)', '--format=value(type)'),
        shows: 'FIRESTORE_NATIVE',
        passes: is('FIRESTORE_NATIVE'),
      },
      apply: [
        gcloud(
          'firestore',
          'databases',
          'create',
          '--database=(default)',
          `--location=${location}`,
          '--type=firestore-native',
          '--delete-protection',
        ),
      ],
    },
    {
      title: 'Point-in-time recovery is off',
      why: 'It keeps each deleted handle for seven days. With it on, say so on the privacy page.',
      check: {
        action: gcloud(
          'firestore',
          'databases',
          'describe',
          '--database=(default)',
          '--format=value(pointInTimeRecoveryEnablement)',
        ),
        shows: 'POINT_IN_TIME_RECOVERY_DISABLED',
        passes: is('POINT_IN_TIME_RECOVERY_DISABLED'),
      },
      apply: [],
      byHand: 'decide: docs/hosting.md, Backup and erasure',
      isAdvice: true,
    },
    {
      title: 'There are no scheduled backups',
      why: 'A backup keeps deleted handles until it expires.',
      check: {
        action: gcloud('firestore', 'backups', 'schedules', 'list', '--database=(default)', '--format=value(name)'),
        shows: 'none',
        passes: is(''),
      },
      apply: [],
      byHand: 'decide: docs/hosting.md, Backup and erasure',
      isAdvice: true,
    },
    {
      title: 'Authentication has been begun',
      why: 'Google offers no command for it that does not also upgrade to Identity Platform, which charges for each active agent.',
      check: {
        action: authConfig,
        shows: 'a configuration',
        passes: (output) => field(output, 'name') !== undefined,
      },
      apply: [],
      byHand: `press "Get started", and nothing after that, at https://console.firebase.google.com/project/${project}/authentication`,
    },
    {
      title: 'Authentication is not Identity Platform',
      why: 'Above 50,000 agents a month, Identity Platform costs $0.0046 or so for each; Firebase Authentication nothing.',
      check: {
        action: authConfig,
        shows: 'another subtype than IDENTITY_PLATFORM',
        passes: (output) => field(output, 'subtype') !== 'IDENTITY_PLATFORM',
      },
      apply: [],
      byHand: 'it cannot be undone: use a new project, or accept the price',
      isAdvice: true,
    },
    {
      title: 'Passwords, phones and anonymous sign-ins are off',
      why: 'Agents sign in by custom tokens. The functions refuse every other sign-in anyway; this keeps its records out.',
      check: {
        action: authConfig,
        shows: 'signIn.email, signIn.phoneNumber and signIn.anonymous not enabled',
        passes: (output) =>
          ['email', 'phoneNumber', 'anonymous'].every((way) => field(output, 'signIn', way, 'enabled') !== true),
      },
      apply: [
        {
          kind: 'request',
          method: 'PATCH',
          url: `${auth}/config?updateMask=signIn.email.enabled,signIn.phoneNumber.enabled,signIn.anonymous.enabled`,
          body: {
            signIn: { email: { enabled: false }, phoneNumber: { enabled: false }, anonymous: { enabled: false } },
          },
        },
      ],
    },
    {
      title: 'No other sign-in provider is on',
      why: 'Google, Apple and their like would make sign-in records with names and addresses of people.',
      check: {
        action: { kind: 'request', method: 'GET', url: `${auth}/defaultSupportedIdpConfigs?pageSize=100` },
        shows: 'none that is enabled',
        passes: (output) => !/"enabled":\s*true/.test(output),
      },
      apply: [],
      byHand: `switch them off at https://console.firebase.google.com/project/${project}/authentication/providers`,
    },
    {
      title: 'The functions have an account of their own',
      why: "The platform's default account may edit the whole project.",
      check: {
        action: gcloud('iam', 'service-accounts', 'describe', runtime, '--format=value(email)'),
        shows: runtime,
        passes: is(runtime),
      },
      apply: [gcloud('iam', 'service-accounts', 'create', runtimeName, '--display-name=Koko functions')],
    },
    projectRole('roles/datastore.user', 'They read and write documents.'),
    projectRole('roles/firebaseauth.admin', "They end an agent's sessions and delete its sign-in."),
    {
      title: 'The functions may sign custom tokens',
      why: 'A custom token is signed through the IAM Credentials API, in the name of the account itself (signBlob).',
      check: {
        action: gcloud(
          'iam',
          'service-accounts',
          'get-iam-policy',
          runtime,
          '--flatten=bindings[].members',
          `--filter=bindings.members=${member} AND bindings.role=roles/iam.serviceAccountTokenCreator`,
          '--format=value(bindings.role)',
        ),
        shows: 'roles/iam.serviceAccountTokenCreator',
        passes: is('roles/iam.serviceAccountTokenCreator'),
      },
      apply: [
        gcloud(
          'iam',
          'service-accounts',
          'add-iam-policy-binding',
          runtime,
          `--member=${member}`,
          '--role=roles/iam.serviceAccountTokenCreator',
          '--condition=None',
        ),
      ],
    },
    {
      title: `There is a secret ${secretName}`,
      why: 'Page tokens, challenges, and the hashes of handles that were taken down depend on it.',
      check: {
        action: gcloud('secrets', 'describe', secretName, '--format=value(name)'),
        shows: 'its name',
        passes: isThere,
      },
      apply: [gcloud('secrets', 'create', secretName, '--replication-policy=automatic')],
    },
    {
      title: `${secretName} has a value`,
      why: '32 random bytes, handed over on standard input: no argument, file or terminal ever holds them. One that is there stays.',
      check: {
        action: gcloud(
          'secrets',
          'versions',
          'list',
          secretName,
          '--filter=state=ENABLED',
          '--limit=1',
          '--format=value(name)',
        ),
        shows: 'an enabled version',
        passes: isThere,
      },
      apply: [
        {
          kind: 'command',
          program: 'gcloud',
          args: ['secrets', 'versions', 'add', secretName, '--data-file=-', inProject],
          input: 'new secret',
        },
      ],
    },
    {
      title: `Only the functions read ${secretName}`,
      why: 'The role is given on this secret, not on the project.',
      check: {
        action: gcloud(
          'secrets',
          'get-iam-policy',
          secretName,
          '--flatten=bindings[].members',
          `--filter=bindings.members=${member} AND bindings.role=roles/secretmanager.secretAccessor`,
          '--format=value(bindings.role)',
        ),
        shows: 'roles/secretmanager.secretAccessor',
        passes: is('roles/secretmanager.secretAccessor'),
      },
      apply: [
        gcloud(
          'secrets',
          'add-iam-policy-binding',
          secretName,
          `--member=${member}`,
          '--role=roles/secretmanager.secretAccessor',
        ),
      ],
    },
    {
      title: 'There is a web app',
      why: 'Its API key tells Authentication which project a sign-in is for. It is public: /api/v1/config shows it.',
      check: {
        action: { kind: 'command', program: 'firebase', args: ['apps:list', 'WEB', '--json', '--project', project] },
        shows: 'an app',
        passes: (output) => output.includes('"appId":'),
      },
      apply: [firebase('apps:create', 'WEB', 'koko')],
    },
    {
      title: 'The parameters are written down',
      why: 'firebase deploy reads them there, and fails where one is missing and nobody can be asked.',
      apply: [
        {
          kind: 'own',
          work: 'write parameters',
          says: `functions/.env.${project} gets WEB_API_KEY, as "firebase apps:sdkconfig WEB" shows it, WEB_ORIGIN=${options.webOrigin}, and REGISTRATION_COST unless it is there; what else it holds stays`,
        },
      ],
    },
    {
      title: 'The images have a repository',
      why: 'Made beforehand, so that old images can be deleted from the first deployment on.',
      check: {
        action: gcloud(
          'artifacts',
          'repositories',
          'describe',
          imageRepository,
          `--location=${region}`,
          '--format=value(name)',
        ),
        shows: 'its name',
        passes: isThere,
      },
      apply: [
        gcloud(
          'artifacts',
          'repositories',
          'create',
          imageRepository,
          '--repository-format=docker',
          `--location=${region}`,
        ),
      ],
    },
    {
      title: 'Old images are deleted',
      why: 'Each deployment leaves some, which cost storage. Without a policy, firebase deploy ends in an error.',
      apply: [firebase('functions:artifacts:setpolicy', '--location', region, '--days', '3', '--force')],
    },
    {
      title: 'Functions and pages are built',
      why: 'firebase deploy sends functions/dist and web/dist as they are.',
      apply: [{ kind: 'command', program: 'npm', args: ['run', 'build'] }],
    },
    {
      title: 'Nothing of the emulators is in firebase.json',
      why: "The emulators' addresses are added to the pages' policy on this machine, and must not leave it.",
      apply: [
        {
          kind: 'own',
          work: 'check firebase.json',
          says: 'no 127.0.0.1 or localhost in what firebase.json says of functions, firestore and hosting',
        },
      ],
    },
    {
      title: 'Everything is deployed',
      why: 'Rules, indexes, exemptions and TTL policies are in firestore.indexes.json and firestore.rules.',
      apply: [firebase('deploy', '--only', 'functions,firestore,hosting')],
    },
    {
      title: 'It works',
      why: 'Two fictional agents register, publish, discover, unlink, open the settings and unregister. Nothing is left.',
      apply: [{ kind: 'own', work: 'smoke run', says: `npm run smoke -- --origin ${options.webOrigin}` }],
    },
  ]
}

/** A field of a JSON object, by its path; undefined where there is none. */
function field(json: string, ...path: string[]): unknown {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return undefined
  }
  for (const key of path) {
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  }
  return value
}

/** The plan for people: every step, with what is asked and what would be run. */
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
      return `${input}${program} ${action.args.map(quote).join(' ')}`
    }
    case 'request':
      return `${action.method} ${action.url}${action.body === undefined ? '' : ` ${JSON.stringify(action.body)}`}`
    case 'own':
      return action.says
  }
}

/** An argument as a POSIX shell takes it for one word. */
export function quote(argument: string): string {
  return /^[A-Za-z0-9_/:=.,@%+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`
}
