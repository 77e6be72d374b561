import { describe, expect, it } from '@jest/globals'
import { crc32 } from 'node:zlib'
import { createLauncherJar } from './launcher-jar.ts'

const MAIN_CLASS = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore'

/** Reads a zip of one stored entry the way unzip does: from its end. */
function unzipOne(jar: Buffer): { name: string; content: Buffer } {
  const end = jar.lastIndexOf(Buffer.from('PK\x05\x06'))
  expect(jar.length).toBe(end + 22)
  expect(jar.readUInt16LE(end + 10)).toBe(1)
  const central = jar.readUInt32LE(end + 16)
  expect(central + jar.readUInt32LE(end + 12)).toBe(end)
  expect(jar.toString('latin1', central, central + 4)).toBe('PK\x01\x02')
  expect(jar.readUInt16LE(central + 10)).toBe(0)

  const local = jar.readUInt32LE(central + 42)
  expect(jar.toString('latin1', local, local + 4)).toBe('PK\x03\x04')
  expect(jar.subarray(local + 4, local + 30)).toEqual(jar.subarray(central + 6, central + 32))
  const nameLength = jar.readUInt16LE(local + 26)
  const start = local + 30 + nameLength
  const content = jar.subarray(start, start + jar.readUInt32LE(local + 18))
  expect(crc32(content)).toBe(jar.readUInt32LE(local + 14))
  expect(start + content.length).toBe(central)
  return { name: jar.toString('latin1', local + 30, start), content }
}

/** The attributes of a manifest, continued lines joined. */
function attributesOf(manifest: string): Record<string, string> {
  const lines = manifest.replaceAll('\r\n ', '').split('\r\n').filter(Boolean)
  return Object.fromEntries(lines.map((line) => line.split(': ') as [string, string]))
}

describe('a launcher jar', () => {
  const classPath = new URL(`file:///opt/${'a-long-folder/'.repeat(12)}with%20a%20space/emulator.jar`)
  const { name, content } = unzipOne(createLauncherJar(MAIN_CLASS, classPath))

  it('is a zip with only a manifest', () => {
    expect(name).toBe('META-INF/MANIFEST.MF')
  })

  it('names the class and the jar to start', () => {
    expect(attributesOf(content.toString())).toEqual({
      'Manifest-Version': '1.0',
      'Main-Class': MAIN_CLASS,
      'Class-Path': classPath.href,
    })
  })

  it('folds its manifest at 72 bytes, and ends it with a newline', () => {
    const lines = content.toString().split('\r\n')
    expect(Math.max(...lines.map((line) => line.length))).toBe(72)
    expect(content.toString()).toMatch(/\r\n\r\n$/)
  })
})
