/** Something the person at the terminal can mend: its message is printed alone, without a stack. */
export class Failure extends Error {
  override name = 'Failure'
}

/** Prints what went wrong and answers the exit status: 1 for what was to be expected, 2 for a bug. */
export function reportFailure(error: unknown): number {
  if (error instanceof Failure) {
    console.error(error.message)
    return 1
  }
  console.error(error)
  return 2
}
