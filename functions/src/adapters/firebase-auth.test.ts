import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { secondMs } from '@koko/contract'
import { createSignIns, loadAuth } from './firebase-auth.ts'

const { FIREBASE_AUTH_EMULATOR_HOST } = process.env

beforeAll(() => {
  // For an emulator, the SDK makes custom tokens alone: nothing listens here.
  process.env.FIREBASE_AUTH_EMULATOR_HOST = '127.0.0.1:1'
})
afterAll(() => {
  if (FIREBASE_AUTH_EMULATOR_HOST === undefined) delete process.env.FIREBASE_AUTH_EMULATOR_HOST
  else process.env.FIREBASE_AUTH_EMULATOR_HOST = FIREBASE_AUTH_EMULATOR_HOST
})

test('an SDK that could not be loaded is loaded again for the next call', async () => {
  let attempts = 0
  const connect = () => {
    attempts += 1
    return attempts === 1 ? Promise.reject(new Error('the disk is busy')) : loadAuth('demo-auth')
  }
  const signIns = createSignIns(connect, 60 * secondMs)
  await expect(signIns.mint('nobody', {})).rejects.toThrow('the disk is busy')
  for (let times = 0; times < 2; times += 1) expect(await signIns.mint('nobody', {})).toMatch(/^ey/)
  expect(attempts).toBe(2)
})
