import { afterAll } from '@jest/globals'
import { createFirestoreStore } from '../src/adapters/firestore.ts'
import { batchDeadlines } from '../src/limits.ts'
import { describeStore } from './store-contract.ts'

if (process.env.FIRESTORE_EMULATOR_HOST === undefined)
  throw new Error('FIRESTORE_EMULATOR_HOST is not set: run this through npm test')

const store = createFirestoreStore(`demo-store-${process.pid}`, batchDeadlines)
afterAll(async () => store[Symbol.asyncDispose](), 60_000)

describeStore('the store on Firestore', store)
