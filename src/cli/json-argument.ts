import { UsageError } from './errors.js'

/** Reads the argument `data`. @throws UsageError */
export function parseData(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new UsageError(`argument 'data' is not JSON. A string needs quotes of its own: '"hello"'`)
  }
}
