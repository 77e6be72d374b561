import { crc32 } from 'node:zlib'

/** The longest line a manifest may have, its line end not counted (JAR file specification). */
const MANIFEST_LINE_BYTES = 72

/** A jar of a manifest alone, which starts `mainClass` out of the jar at `classPath` (a `file:` URL). */
export function createLauncherJar(mainClass: string, classPath: URL): Buffer {
  const attributes = ['Manifest-Version: 1.0', `Main-Class: ${mainClass}`, `Class-Path: ${classPath.href}`]
  const manifest = attributes.map(foldLine).join('') + '\r\n'
  return zipOne('META-INF/MANIFEST.MF', Buffer.from(manifest, 'latin1'))
}

function foldLine(line: string): string {
  const lines = [line.slice(0, MANIFEST_LINE_BYTES)]
  for (let at = MANIFEST_LINE_BYTES; at < line.length; at += MANIFEST_LINE_BYTES - 1) {
    lines.push(` ${line.slice(at, at + MANIFEST_LINE_BYTES - 1)}`)
  }
  return lines.map((each) => `${each}\r\n`).join('')
}

// A zip archive of one stored entry (APPNOTE 4.3.7, 4.3.12, 4.3.16): too little to take a dependency for.
function zipOne(name: string, content: Buffer): Buffer {
  const entry = Buffer.concat([
    u16(10), // version needed to extract
    u16(0), // flags
    u16(0), // stored
    u16(0), // time
    u16(0x21), // 1980-01-01
    u32(crc32(content)),
    u32(content.length),
    u32(content.length),
    u16(name.length),
    u16(0), // extra field
  ])
  const local = Buffer.concat([u32(0x04034b50), entry, Buffer.from(name), content])
  // made by, entry, comment length, disk, internal and external attributes, offset of the local header, name
  const central = Buffer.concat([
    u32(0x02014b50),
    u16(20),
    entry,
    u16(0),
    u16(0),
    u16(0),
    u32(0),
    u32(0),
    Buffer.from(name),
  ])
  const end = Buffer.concat([u32(0x06054b50), u16(0), u16(0), u16(1), u16(1), u32(central.length), u32(local.length)])
  return Buffer.concat([local, central, end, u16(0)])
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
