// Writes docs/cli.md from the program of commander (src/cli/program.ts). With --print it prints it instead, and a test
// compares it with the committed file.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = `${root}node_modules/.cache/countersign-cli-docs.mjs`

await build({
  stdin: {
    contents: `export { buildProgram, pathOf, RunnableCommand } from './program.ts'
export { gatewayOptions, settingOptions } from './options.ts'`,
    resolveDir: `${root}src/cli`,
    loader: 'ts'
  },
  bundle: true,
  packages: 'external',
  // Commands that load the gateway do so only when they run.
  external: ['../connect.js', '../serve.js', '../doctor.js', '../config.js'],
  outfile: out,
  format: 'esm',
  platform: 'node'
})
const { buildProgram, pathOf, RunnableCommand, gatewayOptions, settingOptions } = await import(out)

const program = buildProgram()
const helper = program.createHelp()
const cell = text => text.replaceAll('|', '\\|')

function optionTable(options) {
  const rows = options.map(({ flags, description }) => `| \`${cell(flags)}\` | ${cell(description)} |\n`)
  return rows.length === 0 ? '' : `\n| option | meaning |\n|---|---|\n${rows.join('')}`
}

function section(command) {
  const { spec, registeredArguments, options } = command
  const own = options.filter(option => !gatewayOptions.includes(option) && !settingOptions.includes(option))
  const settings = spec.takesSettings ? '\nEvery setting is an option: [settings.md](settings.md).\n' : ''
  const args = registeredArguments.map(each => `- \`${each.name()}\`: ${each.description}\n`).join('')
  return `### ${pathOf(command).replace('countersign ', '')}

${command.description()}

\`${helper.commandUsage(command)}\`

\`\`\`sh
${spec.examples.join('\n')}
\`\`\`
${args === '' ? '' : `\n${args}`}${settings}${optionTable(own)}`
}

function noun(command) {
  const commands = command instanceof RunnableCommand ? [command] : command.commands
  return `## ${command.name()}\n\n${commands.map(section).join('\n')}`
}

const output = `# The command \`countersign\`

Generated from src/cli/program.ts by \`scripts/generate-cli-docs.mjs\`.

\`countersign\` runs a gateway; \`countersign <noun> <verb>\` manages a running one over its HTTP API. In a clone, run
\`npx countersign\` or \`node bin/countersign.mjs\`. \`--help\` after any command shows its arguments and options.

## Common to all commands

The commands that call a running gateway (all except \`serve\`, \`init-store\`, \`doctor\`, \`config\` and \`completion\`) find it on this machine by themselves. These options name another one:
${optionTable(gatewayOptions)}
- Precedence: an option, the environment, \`.env\` in the working folder, the default.
- Trust: \`.env\` may belong to somebody else. A token or credential that an option, the environment or a data folder named by them provides is never sent to a URL from \`.env\`; pass \`--url\` then. When the URL or the token comes from \`.env\`, one line on stderr names both.
- Answers go to stdout; notes, progress and errors go to stderr. A secret, key or token is shown once, on stdout, and never in an error.
- \`--json\` prints the gateway's answer; for a list one page, or with \`--all\` every page as one array. If the answer is empty, so is the output.
- Colors appear only on a terminal, and never with \`NO_COLOR\`.
- Exit code 0: success. 1: refused or failed; stderr says what to do. 2: wrong usage; \`serve\`, \`doctor\` and \`config\` exit with 1, as for any other faulty setting. 130: interrupted by Ctrl-C, with nothing half done.

${program.commands.map(noun).join('\n')}`

if (process.argv.includes('--print')) process.stdout.write(output)
else writeFileSync(`${root}docs/cli.md`, output)
