import { existsSync, readFileSync } from 'node:fs'
import { parseArgs, parseEnv } from 'node:util'
import { ConfigError, environmentSchema } from '../config.js'

const prefix = 'COUNTERSIGN_'

/** `COUNTERSIGN_DATA_DIR` as a flag: `data-dir`. */
export function flagOf(name: string): string {
  return name.slice(prefix.length).toLowerCase().replaceAll('_', '-')
}

/**
 * What the configuration is read from: flag over environment over `.env` over default.
 * @param args  after the command's name
 * @throws ConfigError for a flag that there is not
 */
export function gatherEnvironment(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>
): Record<string, string | undefined> {
  const names = Object.keys(environmentSchema.properties)
  const options = Object.fromEntries(names.map(name => [flagOf(name), { type: 'string' as const }]))
  let flags: Record<string, string | undefined>
  try {
    flags = { ...parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values }
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)])
  }
  const fromFlags = names.flatMap(name => {
    const value = flags[flagOf(name)]
    return value === undefined ? [] : [[name, value] as const]
  })
  const fromFile = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {}
  return { ...fromFile, ...env, ...Object.fromEntries(fromFlags) }
}
