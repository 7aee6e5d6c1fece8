import { readFileSync } from 'node:fs'
import { environmentSchema } from '../config.js'
import { flagOf } from './flags.js'
import { serve } from './serve.js'

/** The command `countersign`. */

function version(): string {
  const { version: text }: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  )
  return text
}

function help(): string {
  const rows = Object.entries(environmentSchema.properties).map(([name, schema]) => {
    const preset = 'default' in schema && schema.default !== '' ? ` (${String(schema.default)})` : ''
    const text = 'description' in schema ? String(schema.description) : ''
    return `  --${flagOf(name).padEnd(32)} ${text}${preset}`
  })
  return `countersign ${version()}: a gateway for signed, replay-proof, two-way messages

  countersign [serve] [flags]   run a gateway
  countersign help | version

Flags of serve; each is also an environment variable: --data-dir is COUNTERSIGN_DATA_DIR.
${rows.join('\n')}
`
}

/**
 * @param args  what follows the program's name
 * @returns the exit code: 0 good, 1 could not, 2 not understood
 */
export async function main(args: readonly string[]): Promise<number> {
  const [command = 'serve', ...rest] = args
  if (command === 'help' || args.includes('--help') || args.includes('-h')) {
    process.stdout.write(help())
    return 0
  }
  if (command === 'version' || command === '--version') {
    process.stdout.write(`${version()}\n`)
    return 0
  }
  if (command === 'serve') return serve(rest, process.env)
  if (command.startsWith('--')) return serve(args, process.env)
  process.stderr.write(`countersign: there is no command ${JSON.stringify(command)}. Try: countersign help\n`)
  return 2
}
