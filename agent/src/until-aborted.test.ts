import { expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { untilAborted } from './until-aborted.ts'

const never = new Promise<never>(() => undefined)

test('gives the outcome of the work', async () => {
  const { signal } = new AbortController()
  await expect(untilAborted(signal, Promise.resolve('done'))).resolves.toBe('done')
  await expect(untilAborted(signal, Promise.reject(new Error('failed')))).rejects.toThrow('failed')
})

test('rejects with the reason of the signal, whether it is aborted before or meanwhile', async () => {
  await expect(untilAborted(AbortSignal.abort(new Error('stopped')), Promise.resolve('done'))).rejects.toThrow(
    'stopped',
  )
  const abort = new AbortController()
  const outcome = untilAborted(abort.signal, never)
  abort.abort(new Error('stopped'))
  await expect(outcome).rejects.toThrow('stopped')
})

test('handles work that rejects after the signal was aborted, so that the process goes on', async () => {
  const program = `
    import { untilAborted } from ${JSON.stringify(import.meta.resolve('./until-aborted.ts'))}
    const work = Promise.reject(new Error('failed'))
    await untilAborted(AbortSignal.abort(new Error('stopped')), work).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 1))
    console.log('goes on')`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
  expect(stdout).toBe('goes on\n')
})
