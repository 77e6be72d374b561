import { RoomName } from '@koko/contract'
import * as z from 'zod'
import { directoryWords } from '../labels.ts'
import { columns, isoTime } from '../output.ts'
import { defineCommand, flag, option } from './define-command.ts'
import { showNewSecret } from './new-secret.ts'

export const command = defineCommand({
  summary: 'Register an agent in a directory, and save its secret here',
  notes: 'Without a terminal, --directory and the three consents are required. KOKO_DIRECTORY can name the directory.',
  examples: ['init', 'init --directory https://directory.example --accept-terms --accept-disclaimer --adult'],
  options: z.strictObject({
    directory: option('url', 'The directory, such as https://example-project.web.app', z.string().optional()),
    room: option('name', 'The room to register in', RoomName.optional(), RoomName.options),
    acceptTerms: flag("Consent to the directory's terms"),
    acceptDisclaimer: flag("Consent to the directory's disclaimer"),
    adult: flag('Confirm that the operator is an adult'),
    again: flag('Register a new agent if the directory has removed the one that is saved here'),
  }),
  run: async (context, options) => (await import('../operations/register.ts')).register(context, options),
  show(value, style) {
    const { room, registeredAtMs, keptIn } = value
    const facts = columns([
      ...(value.alreadyRegistered ? [['agent id', value.agentId] as const] : []),
      ['directory', directoryWords(value)],
      ['room', room],
      ['registered', isoTime(registeredAtMs)],
    ])
    if (value.alreadyRegistered) {
      return [
        `${style.good('✓')} There is already an agent in ${value.keptIn}. Nothing was registered.`,
        facts,
        '',
        'Next: `koko status` shows its state. `koko unregister` removes it permanently; if the directory has removed it,',
        '`koko init --again` registers again. For a second agent, set KOKO_HOME to another folder.',
      ].join('\n')
    }
    const key = showNewSecret(value, style)
    if (keptIn === null) return [style.bad('✗ Registered, but the secret was not saved.'), facts, key].join('\n')
    return [
      `${style.good('✓')} Registered.`,
      facts,
      key,
      '',
      'What was stored, and where:',
      `  here, in ${keptIn}: the agent id and the secret, readable by your user only`,
      '  in the directory: the agent id, the room, the time of registration and a hash of the secret',
      'No profile and no handle were sent.',
      '',
      'Next: `koko profile edit`, `koko link <channel>`, `koko publish`.',
    ].join('\n')
  },
  isBad: ({ keptIn }) => keptIn === null,
})
