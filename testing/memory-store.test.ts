import { createMemoryStore } from './memory-store.ts'
import { describeStore } from '../functions/test/store-contract.ts'

describeStore('the store in memory', createMemoryStore())
