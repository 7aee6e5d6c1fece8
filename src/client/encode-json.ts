import { invalid, reasonOf } from './errors.js'

/**
 * Encodes a value like `JSON.stringify`, and refuses values that JSON or the gateway does not support, with their path.
 */

/** Most characters of the encoded value of one request, against values that never end, such as `new Array(1e9)`. */
const maxCharacters = 16 * 1_048_576

export interface EncodedJson {
  readonly text: string
  /** Nesting levels of a frame with this member. */
  readonly depth: number
}

/** With the `u` flag it matches only unpaired surrogates. */
const loneSurrogate = /[\ud800-\udfff]/u
const plainName = /^[A-Za-z_$][A-Za-z0-9_$]*$/

const nameOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1)
const binaryType = /^(Shared)?ArrayBuffer$|^Blob$|^File$/

/** Why JSON cannot represent an object; undefined if it can. */
function faultOf(value: object): string | undefined {
  const name = nameOf(value)
  if (ArrayBuffer.isView(value) || binaryType.test(name))
    return `JSON has no binary data (${name}): encode it as base64`
  if (name === 'Map' || name === 'Set') return `JSON has no ${name}: use an object or an array`
  return name === 'Promise' ? 'a Promise: await it first' : undefined
}

class Encoder {
  readonly #maxDepth: number
  readonly #ancestors: object[] = []
  #characters = 0
  depth = 1

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth
  }

  /** @returns undefined for a member that JSON omits */
  encode(given: unknown, path: string, name: string): string | undefined {
    const value = unboxed(given, path, name)
    if (value === undefined) return undefined
    if (typeof value === 'object' && value !== null) return this.#container(value, path)
    return this.#count(scalar(value, path), path)
  }

  #container(value: object, path: string): string {
    const fault = faultOf(value)
    if (fault !== undefined) throw invalid(path, fault)
    if (this.#ancestors.includes(value)) throw invalid(path, 'a circular reference')
    this.#ancestors.push(value)
    // The object of the frame is the first level.
    const level = this.#ancestors.length + 1
    if (level > this.#maxDepth) throw invalid(path, `nested deeper than ${this.#maxDepth} levels (limits.depth)`)
    this.depth = Math.max(this.depth, level)
    const text = Array.isArray(value) ? this.#array(value, path) : this.#object(value, path)
    this.#ancestors.pop()
    return text
  }

  #array(items: readonly unknown[], path: string): string {
    const parts: string[] = []
    for (let i = 0; i < items.length; i++) {
      parts.push(this.encode(items[i], `${path}[${i}]`, String(i)) ?? this.#count('null', path))
    }
    return this.#count(`[${parts.join(',')}]`, path, parts.length + 2)
  }

  #object(value: object, path: string): string {
    const parts: string[] = []
    for (const name of Object.keys(value)) {
      const memberPath = plainName.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`
      const text = this.encode(read(value, name, memberPath), memberPath, name)
      if (text !== undefined) parts.push(this.#count(`${quoted(name, memberPath)}:`, path) + text)
    }
    return this.#count(`{${parts.join(',')}}`, path, parts.length + 2)
  }

  #count(text: string, path: string, characters = text.length): string {
    this.#characters += characters
    if (this.#characters > maxCharacters) throw invalid(path, `more than ${maxCharacters} characters`)
    return text
  }
}

function scalar(value: unknown, path: string): string {
  if (typeof value === 'string') return quoted(value, path)
  if (value === null || typeof value === 'boolean' || Number.isFinite(value)) return JSON.stringify(value)
  throw invalid(path, typeof value === 'number' ? `${value} is not a JSON number` : `JSON has no ${typeof value}`)
}

function quoted(text: string, path: string): string {
  if (loneSurrogate.test(text)) {
    throw invalid(path, 'half of a surrogate pair: cut text between characters')
  }
  return JSON.stringify(text)
}

/** Reads a member, which may be a getter of the application. */
function read(value: object, name: string, path: string): unknown {
  try {
    return (value as Record<string, unknown>)[name]
  } catch (error) {
    throw invalid(path, `reading it failed: ${reasonOf(error)}`)
  }
}

/** Applies `toJSON`, and unwraps objects of Number, String and Boolean, as `JSON.stringify` does. */
function unboxed(given: unknown, path: string, name: string): unknown {
  let value = given
  if (typeof value === 'object' && value !== null) {
    const toJson: unknown = ArrayBuffer.isView(value) ? undefined : read(value, 'toJSON', path)
    if (typeof toJson === 'function') {
      try {
        value = toJson.call(value, name)
      } catch (error) {
        throw invalid(path, `toJSON failed: ${reasonOf(error)}`)
      }
    }
  }
  return value instanceof Number || value instanceof String || value instanceof Boolean ? value.valueOf() : value
}

/**
 * @param name      of the member of the frame
 * @param maxDepth  levels, the frame's own object being the first
 * @throws RequestError INVALID_MESSAGE with the path of the fault
 */
export function encodeJson(value: unknown, name: string, maxDepth: number): EncodedJson {
  const encoder = new Encoder(maxDepth)
  const text = encoder.encode(value, name, name)
  if (text === undefined) throw invalid(name, 'undefined is not JSON')
  return { text, depth: encoder.depth }
}
