import { ConfigError, loadSources } from '../config/load.js'
import { settingsSchema } from '../config/schema.js'
import { lookUp, type Origin, type Sources } from '../config/sources.js'
import { showSetting } from '../config/store-url.js'
import type { Invocation } from './command.js'
import { adminTokenFile, masterKeyFile } from './first-start.js'
import { columns, note, printJson, tablePrinter } from './output.js'

/** `countersign config`. */

/** Files of the data folder that hold a secret when its setting is not set. */
const secretFiles: Readonly<Record<string, string>> = {
  COUNTERSIGN_MASTER_KEY: masterKeyFile,
  COUNTERSIGN_ADMIN_TOKEN: adminTokenFile
}
/** Settings whose value is a secret. */
const secrets = [...Object.keys(secretFiles), 'COUNTERSIGN_SENTINEL_PASSWORD']

interface Row {
  readonly name: string
  readonly value: string | number | null
  readonly from: Origin | 'default'
}

function rowOf(sources: Sources, name: string, schema: object): Row {
  const found = lookUp(sources, name)
  const file = secretFiles[name]
  if (found !== undefined)
    return { name, value: secrets.includes(name) ? '***' : showSetting(name, found.value), from: found.from }
  if (file !== undefined)
    return { name, value: `generated on first start: ${file} in the data folder`, from: 'default' }
  const preset = 'default' in schema ? schema.default : undefined
  return { name, value: typeof preset === 'number' || typeof preset === 'string' ? preset : null, from: 'default' }
}

/** @returns the exit code: 1 if `serve` would not start with these settings */
export async function showConfig({ io, options, settings }: Invocation): Promise<number> {
  const sources = settings()
  const rows = Object.entries(settingsSchema.properties).map(([name, schema]) => rowOf(sources, name, schema))
  let faults: readonly string[] = []
  let warnings: readonly string[] = []
  try {
    warnings = loadSources(sources).warnings
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    faults = error.problems
  }
  if (options.json) await printJson(io, { settings: rows, faults, warnings })
  else {
    await tablePrinter(io, columns({ SETTING: 'name', VALUE: 'value', FROM: 'from' }))(rows)
    for (const warning of warnings) await note(io, `warning: ${warning}`)
    if (faults.length > 0) await note(io, `countersign: ${new ConfigError(faults).message}`)
  }
  return faults.length === 0 ? 0 : 1
}
