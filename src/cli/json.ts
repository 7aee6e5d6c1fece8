import { UsageError } from './errors.js'

/** JSON from files, arguments and answers. No error repeats the text, which may hold a secret. */

export type JsonObject = Readonly<Record<string, unknown>>

export function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns undefined for anything but JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** @returns undefined for anything but a JSON object */
export function parseRecord(text: string): JsonObject | undefined {
  const value = parseJson(text)
  return isRecord(value) ? value : undefined
}

/** Reads the argument `data`. @throws UsageError */
export function parseData(text: string): unknown {
  const value = parseJson(text)
  if (value !== undefined) return value
  throw new UsageError(`argument 'data' is not JSON. A string needs quotes of its own: '"hello"'`)
}
