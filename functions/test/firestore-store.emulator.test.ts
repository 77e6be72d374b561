import { afterAll } from '@jest/globals'
import { Firestore } from '@google-cloud/firestore'
import { createFirestoreStore } from '../src/adapters/firestore.ts'
import { describeStore } from './store-contract.ts'

if (process.env.FIRESTORE_EMULATOR_HOST === undefined)
  throw new Error('FIRESTORE_EMULATOR_HOST is not set: run this through npm test')

const firestore = new Firestore({ projectId: `demo-store-${process.pid}`, ignoreUndefinedProperties: true })
afterAll(() => firestore.terminate())

describeStore('the store on Firestore', createFirestoreStore(firestore))
