import { readBoundedFile, whyUnread } from './read-file.js'
import type { SettingTexts } from './sources.js'

/**
 * Secrets in files: each secret setting has a form `NAME_FILE` with the path of a file that holds its value, as Docker and
 * Kubernetes mount secrets.
 */

/** Settings that hold a secret. A store's URL may hold a password. */
export const secretSettings = [
  'COUNTERSIGN_STORE',
  'COUNTERSIGN_SENTINEL_PASSWORD',
  'COUNTERSIGN_MASTER_KEY',
  'COUNTERSIGN_ADMIN_TOKEN',
  'COUNTERSIGN_METRICS_TOKEN'
] as const

/** Far above any secret. */
export const maxSettingFileBytes = 65_536

export function fileSettingOf(name: string): string {
  return `${name}_FILE`
}

/** A setting that was read from a file. */
export interface SettingFile {
  readonly path: string
  /** Why it cannot be used, one sentence without its content. */
  readonly fault?: string
}

export interface SettingFiles {
  /** The settings of one source, with those from files. */
  readonly texts: SettingTexts
  /** The files, by the name of the setting whose value they hold. */
  readonly files: Readonly<Record<string, SettingFile>>
}

/**
 * @returns the text without a byte order mark and without its final newline, which editors and `echo` append
 * @throws Error whose message follows the path in a sentence
 */
function readText(path: string): string {
  let bytes: Buffer
  try {
    bytes = readBoundedFile(path, maxSettingFileBytes + 1)
  } catch (error) {
    throw new Error(`cannot be read (${whyUnread(error)})`)
  }
  if (bytes.length > maxSettingFileBytes) throw new Error(`has more than ${maxSettingFileBytes} bytes`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '')
  } catch {
    throw new Error('is not UTF-8')
  }
  if (text.includes('\0')) throw new Error('holds a NUL byte: save it as UTF-8')
  if (text.trim() === '') throw new Error('is empty')
  return text
}

/**
 * Replaces each `NAME_FILE` of one source by the content of its file.
 * @param texts  what one source sets
 */
export function readSettingFiles(texts: SettingTexts): SettingFiles {
  const read: Record<string, string> = {}
  const files: Record<string, SettingFile> = {}
  for (const name of secretSettings) {
    const path = texts[fileSettingOf(name)]
    if (path === undefined || path === '') continue
    try {
      read[name] = readText(path)
      files[name] = { path }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      files[name] = { path, fault: `${fileSettingOf(name)}: ${JSON.stringify(path)} ${why}` }
    }
    // Both in one source: `findFaults` reports it.
    if (texts[name] !== undefined && texts[name] !== '') delete read[name]
  }
  return { texts: { ...texts, ...read }, files }
}

/**
 * @param sources  the settings of all sources, as they were before files were read
 * @returns a sentence for each secret that is set both ways, whichever sources set it
 */
export function findDoubleSecrets(sources: readonly SettingTexts[]): { name: string; fault: string }[] {
  const isSet = (name: string) => sources.some(texts => texts[name] !== undefined && texts[name] !== '')
  return secretSettings
    .filter(name => isSet(name) && isSet(fileSettingOf(name)))
    .map(name => ({ name, fault: `${name} and ${fileSettingOf(name)} are both set: set one of them` }))
}
