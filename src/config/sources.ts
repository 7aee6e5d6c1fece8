import { readEnvFile } from './env-file.js'
import { findDoubleSecrets, readSettingFiles, type SettingFile } from './secret-files.js'
import { isServiceLink } from './service-links.js'

/** Sources of settings, by precedence: flag, environment, `.env` in the working folder, default. */

/** Texts by the name of the setting. */
export type SettingTexts = Readonly<Record<string, string | undefined>>

interface SettingPlaces {
  readonly flags: SettingTexts
  readonly environment: SettingTexts
  readonly file: SettingTexts
}

export interface Sources extends SettingPlaces {
  /** One sentence for each line of `.env` that is not a setting, a comment or blank. */
  readonly fileFaults: readonly string[]
  /** Secrets that are read from files, by the name of their setting. */
  readonly secretFiles: Readonly<Record<string, SettingFile>>
}

export type Origin = 'flag' | 'environment' | '.env'

export const settingPrefix = 'COUNTERSIGN_'

/** `COUNTERSIGN_DATA_DIR` as a flag without dashes: `data-dir`. */
export function flagOf(setting: string): string {
  return setting.slice(settingPrefix.length).toLowerCase().replaceAll('_', '-')
}

/**
 * @param flags  settings of the command line, by name
 * @throws ConfigError if `.env` cannot be read
 */
export function readSources(flags: SettingTexts, environment: SettingTexts): Sources {
  const { variables, faults } = readEnvFile('.env')
  // The first source that names a file decides which file is read.
  const [byFile, byEnvironment, byFlag] = [variables, environment, flags].map(readSettingFiles)
  const secretFiles = { ...byFile?.files, ...byEnvironment?.files, ...byFlag?.files }
  for (const { name, fault } of findDoubleSecrets([flags, environment, variables])) {
    secretFiles[name] = { path: '', ...secretFiles[name], fault }
  }
  return {
    flags: byFlag?.texts ?? {},
    environment: byEnvironment?.texts ?? {},
    file: byFile?.texts ?? {},
    fileFaults: faults,
    secretFiles
  }
}

/** A variable of Kubernetes never overrides the same setting in `.env`. */
export function mergeSources({ flags, environment, file }: SettingPlaces): SettingTexts {
  const links = Object.entries(environment).filter(([name, value]) => isServiceLink(name, value))
  const hidden = links.filter(([name]) => file[name] !== undefined).map(([name]) => [name, file[name]] as const)
  return { ...file, ...environment, ...Object.fromEntries(hidden), ...flags }
}

export interface FoundSetting {
  readonly value: string
  readonly from: Origin
  /** The file that holds the value. */
  readonly path?: string
}

/** @returns one setting and its origin; undefined if no source sets it, or the first one sets it to an empty text */
export function lookUp(
  sources: SettingPlaces & Partial<Pick<Sources, 'secretFiles'>>,
  name: string
): FoundSetting | undefined {
  const places = [
    ['flag', sources.flags],
    ['environment', sources.environment],
    ['.env', sources.file]
  ] as const
  for (const [from, source] of places) {
    const value = source[name]
    if (value === undefined || isServiceLink(name, value)) continue
    const path = sources.secretFiles?.[name]?.path
    return value === '' ? undefined : { value, from, ...(path === undefined ? {} : { path }) }
  }
  return undefined
}

/** Longest wait of a running gateway for a pipe, in milliseconds: it blocks the process. */
export const rereadWaitMs = 1000

/**
 * Reads COUNTERSIGN_LOG_LEVEL of `.env` again. A flag or the environment overrides it, as at the start.
 * @returns the level, if one is set, and the faults of the lines of `.env`, as {@link Sources.fileFaults}
 * @throws ConfigError if `.env` cannot be read
 */
export function readLogLevel(sources: SettingPlaces): {
  readonly level: string | undefined
  readonly faults: readonly string[]
} {
  const { variables, faults } = readEnvFile('.env', rereadWaitMs)
  return { level: lookUp({ ...sources, file: variables }, 'COUNTERSIGN_LOG_LEVEL')?.value, faults }
}
