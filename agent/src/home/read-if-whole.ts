import { UserError } from '../errors.ts'
import type { Files, HomeFile } from './home.ts'

/** A file's value; undefined where it is missing, damaged or written by a newer koko. */
export async function readIfWhole<T extends object>(
  { read }: Pick<Files, 'read'>,
  file: HomeFile<T>,
): Promise<T | undefined> {
  return read(file).catch(ignoreUserError)
}

/** Whether the home contains a file, even if it is damaged or written by a newer koko. */
export async function isThere<T extends object>({ read }: Pick<Files, 'read'>, file: HomeFile<T>): Promise<boolean> {
  try {
    return (await read(file)) !== undefined
  } catch (error) {
    ignoreUserError(error)
    return true
  }
}

/** Rethrows a defect. */
export function ignoreUserError(error: unknown): undefined {
  if (!(error instanceof UserError)) throw error
}
