// Writes docs/cli.md from the table of commands (src/cli/table.ts). With --print it prints it instead; a test compares
// that with what is committed.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

// Commands that need the gateway's insides load them when they are run, which is never here.
const leaveOutWhatIsLoadedLater = {
  name: 'leave-out-what-is-loaded-later',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\./ }, ({ kind, path }) => (kind === 'dynamic-import' ? { path, external: true } : undefined))
}

const { outputFiles } = await build({
  stdin: {
    contents: `export { table } from './table.ts'
export { gatewayFlags } from './common.ts'
export { settingFlags } from './flags.ts'
export { argumentText, flagText, usageOf } from './help.ts'`,
    resolveDir: `${root}src/cli`,
    loader: 'ts'
  },
  plugins: [leaveOutWhatIsLoadedLater],
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node'
})
const { table, gatewayFlags, settingFlags, argumentText, flagText, usageOf } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
)

const cell = text => text.replaceAll('|', '\\|')
const rows = pairs => pairs.map(([name, text]) => `| \`${cell(name)}\` | ${cell(text)} |\n`).join('')

function flagTable(flags) {
  return flags.length === 0
    ? ''
    : `\n| flag | meaning |\n|---|---|\n${rows(flags.map(each => [flagText(each), each.summary]))}`
}

function section(command) {
  const { path, summary, details = '', args, flags, examples } = command
  const own = flags.filter(flag => !gatewayFlags.includes(flag) && !settingFlags.includes(flag))
  const settings = flags.some(flag => settingFlags.includes(flag))
    ? '\nEvery setting is a flag: [settings.md](settings.md).\n'
    : ''
  const argumentLines = args.map(each => `- \`${argumentText(each)}\`: ${each.summary}\n`).join('')
  return `### ${path.join(' ')}

${`${summary} ${details}`.trim()}

\`${usageOf(command)}\`

\`\`\`sh
${examples.join('\n')}
\`\`\`
${argumentLines === '' ? '' : `\n${argumentLines}`}${settings}${flagTable(own)}`
}

const nouns = [...new Set(table.map(({ path }) => path[0]))]
const output = `# The command \`countersign\`

Generated from src/cli/table.ts by \`scripts/generate-cli-docs.mjs\`.

\`countersign\` runs a gateway; \`countersign <noun> <verb>\` looks after a running one, over its HTTP API. In a clone it is
\`npx countersign\` or \`node bin/countersign.mjs\`. \`--help\` behind any command shows what it takes.

## What all have in common

Those that talk to a running gateway (all but \`serve\`, \`doctor\`, \`config\` and \`completion\`) find it on this machine with no flag:
${flagTable(gatewayFlags)}
- A flag comes before the environment, that before \`.env\` in the working folder, that before the default.
- Answers are on stdout; notes, progress and errors on stderr. A secret, a key or a token is shown once, on stdout, and never in an error.
- \`--json\` prints what the gateway answered; of a list one page, or with \`--all\` every page as one array. Where the answer is empty, so is the output.
- Colors only on a terminal, and never with \`NO_COLOR\`.
- Exit code 0: good. 1: refused or failed, and one line on stderr says what to do. 2: not understood. 130: interrupted by Ctrl-C, with nothing half done.

${nouns
  .map(
    noun =>
      `## ${noun}\n\n${table
        .filter(({ path }) => path[0] === noun)
        .map(section)
        .join('\n')}`
  )
  .join('\n')}`

if (process.argv.includes('--print')) process.stdout.write(output)
else writeFileSync(`${root}docs/cli.md`, output)
