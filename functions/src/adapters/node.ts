import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  randomUUID,
} from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Codec, Vault } from '../ports.ts'

const ivBytes = 12
const tagBytes = 16

/** A key for one purpose, from the server's secret (HKDF, RFC 5869). */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `koko ${purpose}`, 32))
}

/** Randomness, SHA-256, HMAC and AES-256-GCM by Node's own crypto. */
export function createVault(secrets: string): Vault {
  const [secret = '', ...former] = secrets.split('\n').filter((line) => line !== '')
  // Derived once, because each page has a token.
  const sealKey = createSecretKey(deriveKey(secret, 'seal'))
  const fractionKey = deriveKey(secret, 'fraction')
  const hashKey = deriveKey(secret, 'keyed hash')
  const formerHashKeys = former.map((each) => deriveKey(each, 'keyed hash'))
  return {
    uuid: () => randomUUID(),
    code: () => randomBytes(32).toString('base64url'),
    hash: (text) => createHash('sha256').update(text).digest('base64url'),
    keyedHashes(purpose, text) {
      const hash = (key: Buffer) => createHmac('sha256', key).update(`${purpose}\n${text}`).digest('hex')
      return [hash(hashKey), ...formerHashKeys.map(hash)]
    },
    fraction: (purpose, text) =>
      createHmac('sha256', fractionKey).update(`${purpose}\n${text}`).digest().readUInt32BE() / 2 ** 32,

    seal(purpose, text) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', sealKey, iv).setAAD(Buffer.from(purpose))
      const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return sealed.toString('base64url')
    },

    open(purpose, sealed) {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < ivBytes + tagBytes || bytes.toString('base64url') !== sealed) return null
      const decipher = createDecipheriv('aes-256-gcm', sealKey, bytes.subarray(0, ivBytes))
        .setAAD(Buffer.from(purpose))
        .setAuthTag(bytes.subarray(-tagBytes))
      try {
        return decipher.update(bytes.subarray(ivBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        return null
      }
    },
  }
}

/** Gzip at a level that compresses a thousand listings to a fifth in a few milliseconds. */
export const codec: Codec = {
  pack: (text) => gzipSync(text, { level: 4 }),
  unpack: (bytes) => gunzipSync(bytes).toString('utf8'),
}
