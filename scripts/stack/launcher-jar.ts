import { crc32 } from 'node:zlib'

/** Without the line end (JAR file specification). */
const MAX_MANIFEST_LINE_BYTES = 72

/** A jar that contains only a manifest and starts `mainClass` from the jar at `classPath` (a `file:` URL). */
export function createLauncherJar(mainClass: string, classPath: URL): Buffer {
  const attributes = ['Manifest-Version: 1.0', `Main-Class: ${mainClass}`, `Class-Path: ${classPath.href}`]
  const manifest = attributes.map(foldLine).join('') + '\r\n'
  return zipOne('META-INF/MANIFEST.MF', Buffer.from(manifest, 'latin1'))
}

function foldLine(line: string): string {
  const lines = [line.slice(0, MAX_MANIFEST_LINE_BYTES)]
  for (let at = MAX_MANIFEST_LINE_BYTES; at < line.length; at += MAX_MANIFEST_LINE_BYTES - 1) {
    lines.push(` ${line.slice(at, at + MAX_MANIFEST_LINE_BYTES - 1)}`)
  }
  return lines.map((each) => `${each}\r\n`).join('')
}

// A zip archive of one stored entry (APPNOTE 4.3.7, 4.3.12, 4.3.16): too little code for a dependency.
function zipOne(name: string, content: Buffer): Buffer {
  const entry = Buffer.concat([
    // Version needed to extract, flags, stored, time, 1980-01-01.
    u16(10, 0, 0, 0, 0x21),
    u32(crc32(content), content.length, content.length),
    // The last is the length of the extra field.
    u16(name.length, 0),
  ])
  const local = Buffer.concat([u32(0x04034b50), entry, Buffer.from(name), content])
  // Made by, entry, comment length, disk, internal and external attributes, offset of the local header, name.
  const central = Buffer.concat([u32(0x02014b50), u16(20), entry, u16(0, 0, 0), u32(0, 0), Buffer.from(name)])
  const end = Buffer.concat([u32(0x06054b50), u16(0, 0, 1, 1), u32(central.length, local.length), u16(0)])
  return Buffer.concat([local, central, end])
}

function u16(...values: number[]): Buffer {
  return Buffer.from(values.flatMap((value) => [value & 0xff, value >>> 8]))
}

function u32(...values: number[]): Buffer {
  return u16(...values.flatMap((value) => [value & 0xffff, value >>> 16]))
}
