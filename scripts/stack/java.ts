import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

/** firebase-tools 15 refuses older ones. */
export const MIN_JAVA_MAJOR = 21

const program = process.platform === 'win32' ? 'java.exe' : 'java'

/** The major version in what `java -version` prints; 8 and older call themselves 1.x. */
export function parseJavaMajor(output: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(output)
  return match ? Number(match[1]) : undefined
}

/** The home of a Java that is recent enough: JAVA_HOME's, the one on PATH, else the newest of the usual folders. */
export function findJavaHome(env: NodeJS.ProcessEnv): string | undefined {
  const preferred = [env.JAVA_HOME, homeOnPath(env.PATH)].find((home) => majorOf(home) >= MIN_JAVA_MAJOR)
  if (preferred) return preferred
  const [newest] = installedHomes()
    .map((home) => ({ home, major: majorOf(home) }))
    .filter(({ major }) => major >= MIN_JAVA_MAJOR)
    .sort((a, b) => b.major - a.major)
  return newest?.home
}

function majorOf(home: string | undefined): number {
  if (!home || !existsSync(join(home, 'bin', program))) return 0
  const { stderr, stdout } = spawnSync(join(home, 'bin', program), ['-version'], { encoding: 'utf8' })
  return parseJavaMajor(`${stderr}\n${stdout}`) ?? 0
}

function homeOnPath(path = ''): string | undefined {
  const found = path
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, program))
    .find((candidate) => existsSync(candidate))
  return found && dirname(dirname(realpathSync(found)))
}

function installedHomes(): string[] {
  const mac = 'Contents/Home'
  const brew = 'libexec/openjdk.jdk/Contents/Home'
  const folders: [folder: string, home: string, only?: RegExp][] = [
    ['/usr/lib/jvm', ''],
    ['/usr/lib64/jvm', ''],
    ['/usr/java', ''],
    ['/opt/java', ''],
    ['/Library/Java/JavaVirtualMachines', mac],
    [join(homedir(), 'Library/Java/JavaVirtualMachines'), mac],
    ['/opt/homebrew/opt', brew, /^openjdk/],
    ['/usr/local/opt', brew, /^openjdk/],
    [join(homedir(), '.sdkman/candidates/java'), ''],
    [join(homedir(), '.jdks'), ''],
    ['C:\\Program Files\\Java', ''],
    ['C:\\Program Files\\Eclipse Adoptium', ''],
  ]
  return folders
    .filter(([folder]) => existsSync(folder))
    .flatMap(([folder, home, only = /./]) =>
      readdirSync(folder)
        .filter((name) => only.test(name))
        .map((name) => join(folder, name, home)),
    )
}
