import { ConfigError, environmentSchema, loadConfig } from '../config/load.js'
import type { Io } from './command.js'
import { adminTokenFile, masterKeyFile } from './first-start.js'
import { gatherSources, lookUp, type Sources } from './flags.js'
import { columns, note, printJson, tablePrinter } from './output.js'

/** `countersign config`: what is in force, and where each value is from. */

const secretNames: Readonly<Record<string, string>> = {
  COUNTERSIGN_MASTER_KEY: masterKeyFile,
  COUNTERSIGN_ADMIN_TOKEN: adminTokenFile
}

/** A store's URL may hold a password, and a fault may repeat it. */
export function maskUrls(text: string): string {
  return text.replace(/([a-z+]+:\/\/)[^/\s]*@/gi, '$1***@')
}

interface Row {
  readonly name: string
  readonly value: string | number | null
  readonly from: 'flag' | 'environment' | '.env' | 'default'
}

function rowOf(sources: Sources, name: string, schema: object): Row {
  const found = lookUp(sources, name)
  const file = secretNames[name]
  if (found !== undefined) return { name, value: file === undefined ? maskUrls(found.value) : '***', from: found.from }
  if (file !== undefined) return { name, value: `made at the first start: ${file} in the data folder`, from: 'default' }
  const preset = 'default' in schema ? schema.default : undefined
  return { name, value: typeof preset === 'number' || typeof preset === 'string' ? preset : null, from: 'default' }
}

/** What `--json` is to these commands, beside the flags of `serve`. */
export function splitJson(args: readonly string[]): { readonly json: boolean; readonly rest: readonly string[] } {
  return { json: args.includes('--json'), rest: args.filter(arg => arg !== '--json') }
}

/** @returns the exit code: 1 where `serve` would not start with it */
export async function showConfig(args: readonly string[], io: Io): Promise<number> {
  const { json, rest } = splitJson(args)
  const sources = gatherSources(rest, io.env)
  const rows = Object.entries(environmentSchema.properties).map(([name, schema]) => rowOf(sources, name, schema))
  const { flags, environment, file } = sources
  let faults: readonly string[] = []
  let warnings: readonly string[] = []
  try {
    warnings = loadConfig({ ...file, ...environment, ...flags }).warnings
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    faults = error.problems.map(maskUrls)
  }
  if (json) await printJson(io, { settings: rows, faults, warnings })
  else {
    await tablePrinter(io, columns({ SETTING: 'name', VALUE: 'value', FROM: 'from' }))(rows)
    for (const warning of warnings) await note(io, `warning: ${warning}`)
    if (faults.length > 0) await note(io, `countersign: ${new ConfigError(faults).message}`)
  }
  return faults.length === 0 ? 0 : 1
}
