import { Firestore, Timestamp, type CollectionReference } from '@google-cloud/firestore'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'

/** Every document of a project's database as text, by its path: bytes are decompressed, or shown as characters. */
export async function wholeDatabase(projectId: string): Promise<Map<string, string>> {
  const firestore = new Firestore({ projectId })
  const documents = new Map<string, string>()
  async function walk(collections: CollectionReference[]): Promise<void> {
    for (const collection of collections) {
      for (const reference of await collection.listDocuments()) {
        const snapshot = await reference.get()
        if (snapshot.exists) documents.set(reference.path, JSON.stringify(snapshot.data(), readable))
        await walk(await reference.listCollections())
      }
    }
  }
  await walk(await firestore.listCollections())
  await firestore.terminate()
  return documents
}

function readable(this: unknown, key: string, value: unknown): unknown {
  // JSON.stringify calls a Buffer's toJSON before this sees it.
  const original: unknown = typeof this === 'object' && this !== null ? Reflect.get(this, key) : value
  if (original instanceof Uint8Array) return textOf(original)
  if (original instanceof Timestamp) return original.toDate().toISOString()
  return value
}

function textOf(bytes: Uint8Array): string {
  for (const decompress of [gunzipSync, inflateSync, brotliDecompressSync]) {
    try {
      return decompress(bytes).toString('utf8')
    } catch {
      // Not this one.
    }
  }
  return Buffer.from(bytes).toString('latin1')
}
