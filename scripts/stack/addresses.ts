import { join, resolve } from 'node:path'
import firebase from '../../firebase.json' with { type: 'json' }

const { hub, hosting, functions, firestore, auth, logging, eventarc, tasks } = firebase.emulators

export const root = resolve(import.meta.dirname, '..', '..')
/** Where a running stack keeps its logs; removed when it stops. */
export const stackFolder = join(root, '.koko-stack')

export const project = 'demo-koko'
export const region = 'us-central1'

/** Every port of a local stack, all of them on the loopback address. */
export const ports = {
  Hosting: hosting.port,
  Functions: functions.port,
  Scheduler: 5010,
  Firestore: firestore.port,
  'Firestore websocket': firestore.websocketPort,
  Auth: auth.port,
  'Emulator hub': hub.port,
  Logging: logging.port,
  Eventarc: eventarc.port,
  'Cloud Tasks': tasks.port,
}

export const hostingOrigin = `http://127.0.0.1:${hosting.port}`
export const functionsOrigin = `http://127.0.0.1:${functions.port}`
export const authOrigin = `http://127.0.0.1:${auth.port}`
export const firestoreOrigin = `http://127.0.0.1:${firestore.port}`

/** What points the Google and Firebase SDKs of a command at the stack. */
export const environment = {
  GCLOUD_PROJECT: project,
  GOOGLE_CLOUD_PROJECT: project,
  FIREBASE_EMULATOR_HUB: `127.0.0.1:${hub.port}`,
  FIRESTORE_EMULATOR_HOST: `127.0.0.1:${firestore.port}`,
  FIREBASE_AUTH_EMULATOR_HOST: `127.0.0.1:${auth.port}`,
  CLOUD_TASKS_EMULATOR_HOST: `127.0.0.1:${tasks.port}`,
  KOKO_ORIGIN: hostingOrigin,
  KOKO_FUNCTIONS_ORIGIN: `${functionsOrigin}/${project}/${region}`,
  // Without it the SDKs look for a cloud machine's credentials on the network first.
  METADATA_SERVER_DETECTION: 'none',
}
