import { ProtocolError } from './protocol-error.js'

/**
 * The rules of PROTOCOL §2.3 that `JSON.parse` does not enforce: no duplicate or `signature` member at the top level, paired
 * surrogate escapes, finite numbers, no CR or LF, bounded depth. One pass without recursion. It does not check the grammar:
 * a malformed text may pass, and `JSON.parse` then refuses it.
 */

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const lineFeed = 0x0a
const carriageReturn = 0x0d
const lowerU = 0x75

function refuse(reason: string): never {
  throw new ProtocolError('PROTOCOL_ERROR', reason)
}

/** Checks the surrogate escapes of the string at `start` (its opening quote). @returns the index after it */
function endOfString(text: string, start: number): number {
  let pendingHigh = false
  for (let i = start + 1; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === backslash) {
      if (text.charCodeAt(i + 1) === lowerU) {
        const escaped = Number.parseInt(text.slice(i + 2, i + 6), 16)
        const high = escaped >= 0xd800 && escaped <= 0xdbff
        const low = escaped >= 0xdc00 && escaped <= 0xdfff
        if (low !== pendingHigh) refuse('a surrogate escape without its pair')
        pendingHigh = high
        i += 5
      } else {
        if (pendingHigh) refuse('a surrogate escape without its pair')
        i++
      }
      continue
    }
    if (pendingHigh) refuse('a surrogate escape without its pair')
    if (unit === quote) return i + 1
    if (unit === lineFeed || unit === carriageReturn) refuse('a line break in a string')
  }
  return refuse('a string is not terminated')
}

/** Whether a character can be part of a JSON number: digits and + - . E e. */
function isNumeric(unit: number): boolean {
  return (unit >= 0x30 && unit <= 0x39) || unit === 0x2d || unit === 0x2e || unit === 0x2b || (unit | 0x20) === 0x65
}

/** Whether a number can begin with this character. */
function isNumberStart(unit: number): boolean {
  return isNumeric(unit) && (unit | 0x20) !== 0x65
}

/** Checks that the number at `start` is finite. @returns the index after it */
function endOfNumber(text: string, start: number): number {
  let end = start
  while (end < text.length && isNumeric(text.charCodeAt(end))) end++
  const digits = text.slice(start, end)
  if (!Number.isFinite(Number(digits))) refuse('a number that is not finite')
  return end
}

/** Decodes a member name, because `s\u0065q` and `seq` are the same name. */
function unescapeName(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1)
  if (!raw.includes('\\')) return raw
  try {
    return String(JSON.parse(text.slice(start, end)))
  } catch {
    return refuse('a member name that is not JSON')
  }
}

/** Characters of a member name that an error quotes. */
const maxShownName = 64

/**
 * Checks any JSON text for faults that `JSON.parse` accepts silently: duplicate members at any level, lone surrogate
 * escapes, numbers that are not finite, and nesting that would exhaust the stack. One pass without recursion.
 * @param depth  allowed nesting levels; the outermost value is the first
 * @throws ProtocolError PROTOCOL_ERROR
 */
export function scanJsonText(text: string, depth: number): void {
  /** The member names of each open object; undefined for an open array. */
  const open: (Set<string> | undefined)[] = []
  let nameExpected = false
  let i = 0
  while (i < text.length) {
    const unit = text.charCodeAt(i)
    if (unit === quote) {
      const end = endOfString(text, i)
      const names = open[open.length - 1]
      if (nameExpected && names !== undefined) {
        const name = unescapeName(text, i, end)
        if (names.has(name)) refuse(`the member ${JSON.stringify(name.slice(0, maxShownName))} is duplicate`)
        names.add(name)
      }
      nameExpected = false
      i = end
      continue
    }
    if (unit === openBrace || unit === openBracket) {
      if (open.length >= depth) refuse(`nested deeper than ${depth}`)
      open.push(unit === openBrace ? new Set() : undefined)
      nameExpected = unit === openBrace
    } else if (unit === closeBrace || unit === closeBracket) open.pop()
    else if (unit === comma) nameExpected = true
    else if (isNumberStart(unit)) {
      i = endOfNumber(text, i)
      continue
    }
    i++
  }
}

/**
 * Checks the text of a signed part against PROTOCOL §2.3.
 * @param text   the text from `{` to `}`
 * @param depth  allowed nesting levels; the outermost object is the first
 * @throws ProtocolError PROTOCOL_ERROR
 */
export function scanFrameText(text: string, depth: number): void {
  if (text.charCodeAt(0) !== openBrace) refuse('a frame must begin with {')
  const names = new Set<string>()
  let level = 0
  let nameExpected = false
  let i = 0
  while (i < text.length) {
    const unit = text.charCodeAt(i)
    if (unit === quote) {
      const end = endOfString(text, i)
      if (level === 1 && nameExpected) {
        const name = unescapeName(text, i, end)
        if (name === 'signature') refuse('a signature that is not the last member')
        if (names.has(name)) refuse('a duplicate member')
        names.add(name)
      }
      nameExpected = false
      i = end
      continue
    }
    if (unit === openBrace || unit === openBracket) {
      if (++level > depth) refuse(`nested deeper than ${depth}`)
      nameExpected = level === 1
    } else if (unit === closeBrace || unit === closeBracket) {
      level--
    } else if (unit === comma) {
      nameExpected = level === 1
    } else if (unit === lineFeed || unit === carriageReturn) {
      refuse('a line break in a frame')
    } else if (isNumberStart(unit)) {
      i = endOfNumber(text, i)
      continue
    }
    i++
  }
}
