import { describe, expect, it } from '@jest/globals'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findJavaHome, parseJavaMajor } from './java.ts'

describe('the version of Java', () => {
  it.each([
    ['openjdk version "21.0.3" 2024-04-16', 21],
    ['openjdk version "25" 2025-09-16', 25],
    ['java version "1.8.0_402"', 8],
    ['Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.15" 2025-04-15', 17],
    ['openjdk version "26-ea" 2026-03-17', 26],
  ])('is read from %j', (output, major) => {
    expect(parseJavaMajor(output)).toBe(major)
  })

  it('is unknown if the program is only a stub that offers a download', () => {
    expect(parseJavaMajor('The operation couldn’t be completed. Unable to locate a Java Runtime.')).toBeUndefined()
  })
})

describe('the Java that is used', () => {
  async function fakeJava(folder: string, version: string): Promise<string> {
    const home = join(folder, version)
    await mkdir(join(home, 'bin'), { recursive: true })
    await writeFile(join(home, 'bin', 'java'), `#!/bin/sh\necho 'openjdk version "${version}"' >&2\n`)
    await chmod(join(home, 'bin', 'java'), 0o755)
    return home
  }

  it('is that of JAVA_HOME, then the one on PATH, unless it is too old', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'koko-java-'))
    try {
      const [old, recent, newer] = await Promise.all(
        ['17.0.1', '21.0.1', '22.0.1'].map((each) => fakeJava(folder, each)),
      )
      const PATH = join(newer ?? '', 'bin')
      expect(findJavaHome({ JAVA_HOME: recent, PATH })).toBe(recent)
      expect(findJavaHome({ JAVA_HOME: old, PATH })).toBe(newer)
      expect(findJavaHome({ PATH })).toBe(newer)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
