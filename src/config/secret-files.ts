import { readBoundedFile, whyUnread } from './read-file.js'
import type { SettingTexts } from './sources.js'

/**
 * Secrets in files, as Docker and Kubernetes mount them: each secret setting has a form `NAME_FILE` with the path of a
 * file that holds its value.
 */

/** Settings that hold a secret. The URL of a store may contain a password. */
export const secretSettings = [
  'COUNTERSIGN_STORE',
  'COUNTERSIGN_SENTINEL_PASSWORD',
  'COUNTERSIGN_MASTER_KEY',
  'COUNTERSIGN_ADMIN_TOKEN',
  'COUNTERSIGN_METRICS_TOKEN'
] as const

/** Far above the size of any secret. */
export const maxSettingFileBytes = 65_536

export function fileSettingOf(name: string): string {
  return `${name}_FILE`
}

/** A setting that is read from a file. */
export interface SettingFile {
  readonly path: string
  /** The fault of the file, one sentence without its content. */
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
 * @throws Error whose message continues a sentence after the path
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
 * @param texts  settings of one source
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
 * @param sources  the settings of all sources, before files were read
 * @returns a sentence for each secret that is set both ways, in any sources
 */
export function findDoubleSecrets(sources: readonly SettingTexts[]): { name: string; fault: string }[] {
  const isSet = (name: string) => sources.some(texts => texts[name] !== undefined && texts[name] !== '')
  return secretSettings
    .filter(name => isSet(name) && isSet(fileSettingOf(name)))
    .map(name => ({ name, fault: `${name} and ${fileSettingOf(name)} are both set: set one of them` }))
}
