/** The fields of a package-lock.json (lockfileVersion 3) that decide what is installed. */
export interface LockedPackage {
  version?: string
  resolved?: string
  integrity?: string
  license?: string
  link?: boolean
  dev?: boolean
  devOptional?: boolean
  optional?: boolean
  peer?: boolean
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  peerDependenciesMeta?: Record<string, { optional?: boolean }>
}

export interface Lock {
  name?: string
  version?: string
  lockfileVersion: number
  requires?: boolean
  packages: Record<string, LockedPackage>
}

export interface Manifest {
  name: string
  version?: string
  dependencies: Record<string, string>
}

/**
 * Cuts the lock of a single package, which depends on `names` as `workspace` (its folder) resolves them, out of a whole
 * workspace's lock: the same versions with the same integrity, each hoisted as far as possible.
 *
 * `@npmcli/arborist` and `isolate-package` do not fit: arborist asks the registry before it moves or dedupes a package,
 * and without doing so both keep some packages in up to five copies, each of which would be loaded.
 */
export function cutLock(
  lock: Lock,
  workspace: string,
  manifest: Omit<Manifest, 'dependencies'>,
  names: string[],
): Lock {
  const dependencies: Record<string, string> = {}
  const packages: Record<string, LockedPackage> = {}

  // Copies of one version at several places of the whole lock become one, so that it is loaded once.
  const isSame = (at: string, origin: string) => packages[at]?.integrity === lock.packages[origin]?.integrity

  function place(name: string, origin: string, under: string): string {
    for (let folder: string | undefined = under; folder !== undefined; folder = parentOf(folder)) {
      const at = join(folder, name)
      if (!(at in packages)) continue
      // A nearer package of another version hides those above it.
      return isSame(at, origin) ? at : join(under, name)
    }
    return join('', name)
  }

  const queue: { name: string; origin: string; under: string; optional: boolean }[] = []
  for (const name of [...names].sort()) {
    const origin = resolveLocked(lock, workspace, name)
    if (origin === undefined) throw new Error(`${name} is not in the lock`)
    dependencies[name] = lock.packages[origin]?.version ?? ''
    queue.push({ name, origin, under: '', optional: false })
  }
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { name, origin, under, optional } = next
    const at = place(name, origin, under)
    const placed = packages[at]
    // It stays optional as long as nothing requires it.
    if (placed && (optional || !placed.optional)) continue
    const {
      dev: _dev,
      devOptional: _devOptional,
      optional: _optional,
      peer: _peer,
      ...locked
    } = lock.packages[origin] ?? {}
    packages[at] = { ...locked, ...(optional ? { optional: true } : {}) }
    for (const edge of edgesOf(locked)) {
      const found = resolveLocked(lock, origin, edge.name)
      if (found !== undefined)
        queue.push({ name: edge.name, origin: found, under: at, optional: optional || edge.optional })
      else if (!edge.optional) throw new Error(`${edge.name}, which ${origin} needs, is not in the lock`)
    }
  }
  const sorted = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)))
  return {
    ...manifest,
    lockfileVersion: lock.lockfileVersion,
    requires: true,
    packages: { '': { ...manifest, dependencies }, ...sorted },
  }
}

function edgesOf(locked: LockedPackage): { name: string; optional: boolean }[] {
  const { peerDependencies = {}, peerDependenciesMeta, dependencies = {}, optionalDependencies = {} } = locked
  const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta?.[name]?.optional)
  const names = new Set([...peers, ...Object.keys(dependencies), ...Object.keys(optionalDependencies)])
  return [...names].map((name) => ({ name, optional: name in optionalDependencies }))
}

/** Where `from`, a folder, finds `name`: Node's look-up in its own node_modules, then in its parents'. */
export function resolveLocked(lock: Lock, from: string, name: string): string | undefined {
  for (let folder: string | undefined = from; folder !== undefined; folder = parentOf(folder)) {
    const candidate = join(folder, name)
    if (candidate in lock.packages) return candidate
  }
  return undefined
}

function join(folder: string, name: string): string {
  return folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
}

/** The folder whose node_modules a package folder is in; a workspace's parent is the root, the root has none. */
function parentOf(folder: string): string | undefined {
  if (folder === '') return undefined
  const end = folder.lastIndexOf('node_modules/')
  return end <= 0 ? '' : folder.slice(0, end - 1)
}
