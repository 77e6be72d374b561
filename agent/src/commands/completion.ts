import * as z from 'zod'
import { argument, defineCommand, type Command } from './define-command.ts'

const Shell = z.enum(['bash', 'zsh', 'fish'], { error: 'must be bash, zsh, or fish' })
type Shell = z.infer<typeof Shell>

type Commands = readonly (readonly [name: string, command: Command])[]

/** `loadAll` gives every command, which the composition root knows. */
export const createCompletionCommand = (loadAll: () => Promise<Commands>): Command =>
  defineCommand({
    summary: 'Print a script that completes commands, options and values in your shell',
    notes: [
      'To load it in each new shell, add one line to its startup file:',
      '  ~/.bashrc                   source <(koko completion bash)',
      '  ~/.zshrc, after compinit    source <(koko completion zsh)',
      '  ~/.config/fish/config.fish  koko completion fish | source',
    ].join('\n'),
    examples: ['completion bash', 'completion zsh', 'completion fish'],
    options: z.strictObject({ shell: argument('bash, zsh, or fish', Shell, Shell.options) }),
    run: async (_, { shell }) => ({ shell, script: scripts[shell]((await loadAll()).map(described)) }),
    show: ({ script }) => script,
  })

/** A command as a shell completes it. */
interface Completed {
  name: string
  summary: string
  /** The values of each argument. */
  arguments: (readonly string[])[]
  /** `values` is undefined for an option without a value. */
  options: { name: string; description: string; values: readonly string[] | undefined }[]
}

const commonOptions = ['--help', '--json', '--quiet']

function described([name, { summary, ...command }]: Commands[number]): Completed {
  return {
    name,
    summary,
    arguments: command.arguments.map(({ values }) => values),
    options: command.options.map(({ syntax, description, values }) => {
      const [option = '', placeholder] = syntax.split(' ')
      return { name: option, description, values: placeholder === undefined ? undefined : values }
    }),
  }
}

const scripts: Record<Shell, (commands: readonly Completed[]) => string> = { bash, zsh, fish }

const namesOf = (commands: readonly Completed[]) => ['help', ...commands.map(({ name }) => name)].sort()

/** Names and values are plain words, so they need no quotes in the lists below. */
function bash(commands: readonly Completed[]): string {
  const withValue = new Set(
    commands.flatMap(({ options }) => options.flatMap((each) => (each.values === undefined ? [] : [each.name]))),
  )
  const values = commands.flatMap(({ name, options }) =>
    options.flatMap((each) =>
      each.values === undefined ? [] : [`    ${name}:${each.name}) words='${each.values.join(' ')}' ;;`],
    ),
  )
  const positions = commands.flatMap((command) =>
    command.arguments.map((each, position) => `    ${command.name}:${position}) words='${each.join(' ')}' ;;`),
  )
  const options = commands.map(
    (command) =>
      `    ${command.name}) words='${[...command.options.map(({ name }) => name), ...commonOptions].join(' ')}' ;;`,
  )
  return `# Completes koko in bash, version 3.2 or later.
_koko() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command='' position=0 words='' index
  # bash splits --option=value in three.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((index = 1; index < COMP_CWORD; index += 1)); do
    case \${COMP_WORDS[index]} in
      ${[...withValue].join('|')}) ((index += 1)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command=\${COMP_WORDS[index]}; else ((position += 1)); fi ;;
    esac
  done
  case $command:$previous in
${values.join('\n')}
    :*) if [[ $current == -* ]]; then words='--help --version'; else words='${namesOf(commands).join(' ')}'; fi ;;
    *)
      if [[ $current == -* ]]; then
        case $command in
${options.map((line) => `      ${line}`).join('\n')}
        esac
      else
        case $command:$position in
${positions.map((line) => `      ${line}`).join('\n')}
          help:0) words='${commands.map(({ name }) => name).join(' ')}' ;;
        esac
      fi
      ;;
  esac
  # Values are words without spaces.
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _koko koko`
}

function zsh(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, options, arguments: given }) => {
    const specs = [
      ...options.map(({ name: option, description, values }) => {
        const value = values === undefined ? '' : `: :${values.length === 0 ? '' : `(${values.join(' ')})`}`
        return `'${option}[${zshText(description)}]${value}'`
      }),
      ...commonOptions.map((option) => `'${option}'`),
      ...given.map((values, index) => `'${index + 1}: :${values.length === 0 ? '' : `(${values.join(' ')})`}'`),
    ]
    return `    ${name})\n      _arguments ${specs.join(' \\\n        ')}\n      ;;`
  })
  const described = commands.map(({ name, summary }) => `    '${name}:${zshText(summary)}'`)
  return `#compdef koko
# Completes koko in zsh.
_koko() {
  local -a commands=(
${described.join('\n')}
    'help:Show the help of a command'
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  # From here on the command is the first word.
  shift words
  ((CURRENT -= 1))
  case $words[1] in
${cases.join('\n')}
    help)
      _describe command commands
      ;;
  esac
}
compdef _koko koko`
}

/** Inside single quotes and brackets, of which a colon ends a part. */
function zshText(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&').replaceAll("'", `'\\''`)
}

function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, summary, options, arguments: given }) => {
    const here = `-n '__fish_seen_subcommand_from ${name}'`
    return [
      `complete -c koko -n __fish_use_subcommand -a ${name} -d ${fishText(summary)}`,
      ...given.flatMap((values) => (values.length === 0 ? [] : [`complete -c koko ${here} -a '${values.join(' ')}'`])),
      ...options.map(({ name: option, description, values }) => {
        const value = values === undefined ? '' : ` -x${values.length === 0 ? '' : ` -a '${values.join(' ')}'`}`
        return `complete -c koko ${here} -l ${option.slice(2)} -d ${fishText(description)}${value}`
      }),
    ]
  })
  const names = commands.map(({ name }) => name).join(' ')
  return `# Completes koko in fish.
complete -c koko -f
complete -c koko -n __fish_use_subcommand -a help -d 'Show the help of a command'
complete -c koko -n '__fish_seen_subcommand_from help' -a '${names}'
${lines.join('\n')}
${commonOptions.map((option) => `complete -c koko -l ${option.slice(2)}`).join('\n')}`
}

function fishText(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`
}
