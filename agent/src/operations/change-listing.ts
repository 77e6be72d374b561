import { UserError } from '../errors.ts'
import { codeOf } from '../directory/session.ts'
import { publishedFile, type Published } from '../home/files.ts'
import type { Files, Home } from '../home/home.ts'

/**
 * Sends what changes the listing. From then until the answer is kept, a crash included, what is listed counts as unknown;
 * only where the directory refused is it what it was.
 */
export async function changeListing<T>(
  { home }: { home: Home },
  send: () => Promise<T>,
  keep: (answer: T, before: Published | undefined, files: Files) => Promise<void>,
): Promise<T> {
  const before = await home.change(async (files) => {
    const published = await readablePublished(files)
    await files.remove(publishedFile)
    return published
  })
  let answer: T
  try {
    answer = await send()
  } catch (error) {
    if (before !== undefined && isRefusal(error)) await home.change((files) => files.write(publishedFile, before))
    throw error
  }
  await home.change((files) => keep(answer, before, files))
  return answer
}

/** What the last publish left; undefined also where the file is damaged: it is a copy, and the next publish mends it. */
export async function readablePublished({ read }: Pick<Files, 'read'>): Promise<Published | undefined> {
  return read(publishedFile).catch((error: unknown) => {
    if (error instanceof UserError) return undefined
    throw error
  })
}

/** True where nothing was sent, or the directory has said that it did nothing; false where nobody knows. */
function isRefusal(error: unknown): boolean {
  if (error instanceof UserError) return true
  const code = codeOf(error)
  return code !== undefined && code !== 'unavailable' && code !== 'internal'
}
