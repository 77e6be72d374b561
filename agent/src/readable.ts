import { Advice } from './advice.ts'
import type { Files, HomeFile } from './home.ts'

/** What a file of the home holds; undefined also where it is damaged, for what mends it or does without. */
export async function readable<T extends object>(
  { read }: Pick<Files, 'read'>,
  file: HomeFile<T>,
): Promise<T | undefined> {
  try {
    return await read(file)
  } catch (error) {
    if (error instanceof Advice) return undefined
    throw error
  }
}
