import { UserError } from '../errors.ts'
import type { Files, HomeFile } from './home.ts'

/** Whether the home holds a file, a damaged one and one of a newer koko included. */
export async function isThere<T extends object>({ read }: Pick<Files, 'read'>, file: HomeFile<T>): Promise<boolean> {
  try {
    return (await read(file)) !== undefined
  } catch (error) {
    if (error instanceof UserError) return true
    throw error
  }
}
