import { existsSync, readFileSync } from 'node:fs'
import { parseArgs, parseEnv } from 'node:util'
import { ConfigError, environmentSchema } from '../config/load.js'
import type { Flag } from './command.js'

const prefix = 'COUNTERSIGN_'
const names = Object.keys(environmentSchema.properties)

/** `COUNTERSIGN_DATA_DIR` as a flag: `data-dir`. */
export function flagOf(name: string): string {
  return name.slice(prefix.length).toLowerCase().replaceAll('_', '-')
}

/** The settings as flags, for help and completion. What they may hold is config.ts' to judge. */
export const settingFlags: readonly Flag[] = Object.entries(environmentSchema.properties).map(([name, schema]) => {
  const preset = 'default' in schema && schema.default !== '' ? ` Default ${String(schema.default)}.` : ''
  const summary = `${'description' in schema ? String(schema.description) : ''}${preset}`
  return { name: flagOf(name), kind: 'text', value: '<value>', summary }
})

export type Origin = 'flag' | 'environment' | '.env'

export interface Sources {
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly file: Readonly<Record<string, string | undefined>>
}

/**
 * What the configuration is read from.
 * @param args  after the command's name
 * @throws ConfigError for a flag that there is not
 */
export function gatherSources(args: readonly string[], env: Sources['environment']): Sources {
  const options = Object.fromEntries(names.map(name => [flagOf(name), { type: 'string' as const }]))
  let given: Record<string, string | undefined>
  try {
    given = { ...parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values }
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)])
  }
  const flags = names.flatMap(name => {
    const value = given[flagOf(name)]
    return value === undefined ? [] : [[name, value] as const]
  })
  const file = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {}
  return { flags: Object.fromEntries(flags), environment: env, file }
}

/** One setting and where it is from. An empty one counts as not set, as the schema has it. */
export function lookUp(sources: Sources, name: string): { readonly value: string; readonly from: Origin } | undefined {
  const places: readonly [Origin, Sources['file']][] = [
    ['flag', sources.flags],
    ['environment', sources.environment],
    ['.env', sources.file]
  ]
  for (const [from, source] of places) {
    const value = source[name]
    if (value !== undefined) return value === '' ? undefined : { value, from }
  }
  return undefined
}

/**
 * What the configuration is read from, by precedence: flag over environment over `.env` over default.
 * @param args  after the command's name
 * @throws ConfigError for a flag that there is not
 */
export function gatherEnvironment(
  args: readonly string[],
  env: Sources['environment']
): Record<string, string | undefined> {
  const { flags, environment, file } = gatherSources(args, env)
  return { ...file, ...environment, ...flags }
}
