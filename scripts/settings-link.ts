import { reportFailure } from './failure.ts'
import { sampleSettingsLink } from './stack/presence.ts'

/** Prints a settings link of an agent of the sample room, beside a running `npm start`. */
try {
  console.log(await sampleSettingsLink(AbortSignal.timeout(30_000)))
} catch (error) {
  process.exitCode = reportFailure(error)
}
