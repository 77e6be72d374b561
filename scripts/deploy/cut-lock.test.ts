import { describe, expect, it } from '@jest/globals'
import { cutLock } from './cut-lock.ts'
import type { LockedPackage } from './cut-lock.ts'

function cut(packages: Record<string, LockedPackage>, ...names: string[]): Record<string, LockedPackage> {
  const whole = { lockfileVersion: 3, packages: { '': {}, functions: {}, ...packages } }
  return cutLock(whole, 'functions', { name: 'cut', version: '1.0.0' }, names).packages
}

/** A locked package whose integrity tells name and version. */
function locked(id: string, rest: LockedPackage = {}): LockedPackage {
  return { version: id.slice(id.lastIndexOf('@') + 1), integrity: id, ...rest }
}

describe('a lock cut for one workspace', () => {
  it('holds what is reachable, and names the exact versions', () => {
    expect(
      cut(
        {
          'node_modules/a': locked('a@1.0.0', { dependencies: { b: '^2.0.0' } }),
          'node_modules/b': locked('b@2.1.0'),
          'node_modules/unrelated': locked('unrelated@1.0.0'),
        },
        'a',
      ),
    ).toEqual({
      '': { name: 'cut', version: '1.0.0', dependencies: { a: '1.0.0' } },
      'node_modules/a': locked('a@1.0.0', { dependencies: { b: '^2.0.0' } }),
      'node_modules/b': locked('b@2.1.0'),
    })
  })

  it("hoists the workspace's own versions, and nests the root's that they displace", () => {
    const packages = cut(
      {
        'functions/node_modules/sdk': locked('sdk@7.0.0'),
        'node_modules/sdk': locked('sdk@6.0.0'),
        'node_modules/tool': locked('tool@1.0.0', { dependencies: { sdk: '6' } }),
      },
      'sdk',
      'tool',
    )
    expect(packages['node_modules/sdk']?.version).toBe('7.0.0')
    expect(packages['node_modules/tool/node_modules/sdk']?.version).toBe('6.0.0')
    expect(packages['']?.dependencies).toEqual({ sdk: '7.0.0', tool: '1.0.0' })
  })

  it('makes one of several copies of the same version', () => {
    const packages = cut(
      {
        'node_modules/a': locked('a@1.0.0', { dependencies: { gax: '6' } }),
        'node_modules/a/node_modules/gax': locked('gax@6.0.0'),
        'node_modules/b': locked('b@1.0.0', { dependencies: { gax: '6' } }),
        'node_modules/b/node_modules/gax': locked('gax@6.0.0'),
        'node_modules/gax': locked('gax@5.0.0'),
      },
      'a',
      'b',
    )
    expect(Object.keys(packages)).toEqual(['', 'node_modules/a', 'node_modules/b', 'node_modules/gax'])
    expect(packages['node_modules/gax']?.version).toBe('6.0.0')
  })

  it('follows peers that must be there, not those that may', () => {
    const packages = cut(
      {
        'node_modules/a': locked('a@1.0.0', {
          peerDependencies: { admin: '14', graphql: '16' },
          peerDependenciesMeta: { graphql: { optional: true } },
        }),
        'node_modules/admin': locked('admin@14.0.0', { peer: true, dev: true }),
        'node_modules/graphql': locked('graphql@16.0.0', { peer: true }),
      },
      'a',
    )
    expect(Object.keys(packages)).toEqual(['', 'node_modules/a', 'node_modules/admin'])
    expect(packages['node_modules/admin']).toEqual(locked('admin@14.0.0'))
  })

  it('calls optional what nothing requires, whichever way it is met first', () => {
    const packages = cut(
      {
        'node_modules/a': locked('a@1.0.0', { optionalDependencies: { native: '1', store: '1' } }),
        'node_modules/native': locked('native@1.0.0', { optional: true, dependencies: { shim: '1' } }),
        'node_modules/shim': locked('shim@1.0.0', { optional: true }),
        'node_modules/store': locked('store@1.0.0', { optional: true, dependencies: { wire: '1' } }),
        'node_modules/wire': locked('wire@1.0.0', { optional: true }),
        'node_modules/z': locked('z@1.0.0', { dependencies: { store: '1' } }),
      },
      'a',
      'z',
    )
    const optional = Object.keys(packages).filter((path) => packages[path]?.optional)
    expect(optional).toEqual(['node_modules/native', 'node_modules/shim'])
  })

  it('says what is missing from the whole lock', () => {
    expect(() => cut({ 'node_modules/a': locked('a@1.0.0', { dependencies: { b: '1' } }) }, 'a')).toThrow(
      'b, which node_modules/a needs, is not in the lock',
    )
    expect(() => cut({}, 'c')).toThrow('c is not in the lock')
  })
})
