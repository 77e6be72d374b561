import { expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { commands } from '../cli.ts'
import { createTestContext } from '../../test/context.ts'
import { createTestDirectory } from '../../../testing/directory.ts'

const run = promisify(execFile)

async function scriptFor(shell: string): Promise<string> {
  const context = await createTestContext({ directory: await createTestDirectory() })
  const completion = await commands.get('completion')?.()
  const called = await completion?.call(context, { shell })
  return (called?.value as { script: string }).script
}

/** What bash offers at the end of a command line, whose words it has split as it does for a real one. */
async function completed(words: readonly string[]): Promise<string[]> {
  const line = words.map((word) => `'${word}'`).join(' ')
  const ask = `COMP_WORDS=(koko ${line}); COMP_CWORD=${words.length}; _koko; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await run('bash', ['--noprofile', '--norc', '-c', `${await scriptFor('bash')}\n${ask}`])
  return stdout.split('\n').filter((each) => each !== '')
}

test('bash is offered every command', async () => {
  expect(await completed([''])).toEqual([...commands.keys(), 'help'].sort())
  expect(await completed(['un'])).toEqual(['unlink', 'unregister'])
  expect(await completed(['help', 'pub'])).toEqual(['publish'])
})

test.each<[words: readonly string[], offered: readonly string[]]>([
  [
    ['unlink', ''],
    ['whatsapp', 'telegram', 'discord', 'slack'],
  ],
  [['unlink', 'te'], ['telegram']],
  [['unlink', 'telegram', '--n'], ['--no-wait']],
  [['unlink', '--yes', 'di'], ['discord']],
  [['--quiet', 'profile', 'e'], ['edit']],
  [['profile', '--intent', 'long'], ['long_term']],
  [['profile', '--intent', '=', 'long'], ['long_term']],
  [
    ['profile', '--intent', '='],
    ['long_term', 'short_term', 'friendship', 'casual', 'open'],
  ],
  [['profile', '--age', '34', 'e'], ['edit']],
  [['profile', '--max-distance', ''], ['anywhere']],
  [['link', 'telegram', ''], []],
  [['status', '--j'], ['--json']],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
])('bash, after %j, is offered %j', async (words, offered) => {
  expect(await completed(words)).toEqual(offered)
})

test('every option of every command is in each script', async () => {
  const [bash, zsh, fish] = await Promise.all(['bash', 'zsh', 'fish'].map(scriptFor))
  for (const [name, load] of commands) {
    const { options } = await load()
    for (const { syntax } of options) {
      const option = syntax.split(' ')[0] ?? ''
      expect(bash).toMatch(new RegExp(`^ +${name}\\) words='.*${option}( .*)?' ;;$`, 'm'))
      expect(zsh).toContain(`'${option}[`)
      expect(fish).toMatch(new RegExp(`__fish_seen_subcommand_from ${name}' -l ${option.slice(2)} -d '`))
    }
  }
})

test('quotes every description, so that no script breaks at one', async () => {
  // Single quotes are the only quotes of these scripts outside of bash's own code.
  const lines = (await scriptFor('fish')).split('\n')
  for (const line of lines) expect(line.replaceAll(/\\['\\]/g, '')).toMatch(/^(?:#.*|(?:[^']|'[^']*')*)$/)
  await expect(run('bash', ['-n', '-c', await scriptFor('bash')])).resolves.toMatchObject({ stderr: '' })
})
