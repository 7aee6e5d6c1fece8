import { readEnvFile } from './env-file.js'
import { isServiceLink } from './service-links.js'

/** Where settings come from, by precedence: flag, environment, `.env` in the working folder, default. */

/** Texts by the name of the setting. */
export type SettingTexts = Readonly<Record<string, string | undefined>>

interface SettingPlaces {
  readonly flags: SettingTexts
  readonly environment: SettingTexts
  readonly file: SettingTexts
}

export interface Sources extends SettingPlaces {
  /** One sentence for each line of `.env` that sets nothing and is no comment. */
  readonly fileFaults: readonly string[]
}

export type Origin = 'flag' | 'environment' | '.env'

export const settingPrefix = 'COUNTERSIGN_'

/** `COUNTERSIGN_DATA_DIR` as a flag without dashes: `data-dir`. */
export function flagOf(setting: string): string {
  return setting.slice(settingPrefix.length).toLowerCase().replaceAll('_', '-')
}

/**
 * @param flags  what the command line sets, by the name of the setting
 * @throws ConfigError if `.env` cannot be read
 */
export function readSources(flags: SettingTexts, environment: SettingTexts): Sources {
  const { variables, faults } = readEnvFile('.env')
  return { flags, environment, file: variables, fileFaults: faults }
}

/** A variable of Kubernetes never hides the setting of the same name in `.env`. */
export function mergeSources({ flags, environment, file }: SettingPlaces): SettingTexts {
  const links = Object.entries(environment).filter(([name, value]) => isServiceLink(name, value))
  const hidden = links.filter(([name]) => file[name] !== undefined).map(([name]) => [name, file[name]] as const)
  return { ...file, ...environment, ...Object.fromEntries(hidden), ...flags }
}

/** @returns one setting and its origin; undefined when no source sets it, or the first one sets it to an empty text */
export function lookUp(
  sources: SettingPlaces,
  name: string
): { readonly value: string; readonly from: Origin } | undefined {
  const places = [
    ['flag', sources.flags],
    ['environment', sources.environment],
    ['.env', sources.file]
  ] as const
  for (const [from, source] of places) {
    const value = source[name]
    if (value !== undefined && !isServiceLink(name, value)) return value === '' ? undefined : { value, from }
  }
  return undefined
}
