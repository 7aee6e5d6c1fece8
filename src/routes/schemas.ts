import Type, { type Static } from 'typebox'
import { ApiError } from '../errors.js'
import {
  attributeNameBytes,
  attributePairs,
  attributeValueBytes,
  hwidBytes,
  licenseKeyBytes
} from '../protocol/limits.js'

/** Shapes that the HTTP API's routes share. Times are ISO 8601 outside and unix milliseconds inside. */

/** Most items of one page of a list. */
export const maxPageItems = 1000
const defaultPageItems = 100
/** Patterns of one capability. */
const maxPatterns = 64

export const identifierSchema = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' })
export const timeSchema = Type.String({ format: 'date-time', maxLength: 40 })
export const hwidSchema = Type.String({ minLength: 1, maxLength: hwidBytes })
export const licenseKeySchema = Type.String({ minLength: 1, maxLength: licenseKeyBytes })
export const attributesSchema = Type.Record(Type.String(), Type.String({ maxLength: attributeValueBytes }), {
  maxProperties: attributePairs,
  propertyNames: { minLength: 1, maxLength: attributeNameBytes }
})

const patternList = (pattern: string) => Type.Array(Type.String({ pattern }), { maxItems: maxPatterns })

export const clientPatternsSchema = Type.Optional(patternList('^(?=.)[A-Za-z0-9._-]{0,64}\\*?$'))

/** Literal characters, then at most one final `*` (PROTOCOL §3). */
export const capabilitySchemas = {
  subscribe: Type.Optional(patternList('^(?=.)[A-Za-z0-9_.:-]{0,128}\\*?$')),
  publish: Type.Optional(patternList('^(?=.)[A-Za-z0-9_.:-]{0,128}\\*?$')),
  services: Type.Optional(patternList('^(?=.)[A-Za-z0-9._-]{0,64}\\*?$'))
}

export const pageQuerySchema = Type.Object(
  {
    after: Type.Optional(Type.String({ maxLength: 128, description: 'the `next` of the page before' })),
    // A query has only text, and nothing else of a request is ever coerced.
    limit: Type.Optional(Type.String({ pattern: '^[0-9]{1,4}$', description: `1 to ${maxPageItems}` }))
  },
  { additionalProperties: false }
)

type PageQuery = Static<typeof pageQuerySchema>

/**
 * One page of a list. `next` is there when there may be more: the `after` of the next call.
 * @param idOf  by what the list is ordered
 */
export async function pageOf<Item, Shown>(
  query: PageQuery,
  read: (after: string, limit: number) => Promise<readonly Item[]>,
  idOf: (item: Item) => string,
  show: (item: Item) => Shown
): Promise<{ items: Shown[]; next?: string }> {
  const { after = '' } = query
  const limit = parseLimit(query.limit)
  const items = await read(after, limit)
  const last = items.length === limit ? items.at(-1) : undefined
  return { items: items.map(show), ...(last === undefined ? {} : { next: idOf(last) }) }
}

/** @throws ApiError BAD_REQUEST */
export function parseLimit(text: string | undefined): number {
  const limit = text === undefined ? defaultPageItems : Number(text)
  if (limit < 1 || limit > maxPageItems) throw new ApiError('BAD_REQUEST', `limit: from 1 to ${maxPageItems}`)
  return limit
}

/** @throws ApiError BAD_REQUEST for a day that is in no calendar */
export function parseTime(text: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time) || time < 0) throw new ApiError('BAD_REQUEST', `not a time: ${text}`)
  return time
}

export function formatTime(time: number): string {
  return new Date(time).toISOString()
}

/** JSON Schema counts characters; these bounds are in bytes, and wire messages cannot carry a lone surrogate. */
export function requireText(name: string, text: string, maxBytes: number): void {
  if (Buffer.byteLength(text) > maxBytes) throw new ApiError('BAD_REQUEST', `${name}: at most ${maxBytes} bytes`)
  if (!text.isWellFormed()) throw new ApiError('BAD_REQUEST', `${name}: not well-formed Unicode`)
}

export function requireAttributes(attributes: Readonly<Record<string, string>> | undefined): void {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    requireText('an attribute name', name, attributeNameBytes)
    requireText(`attribute ${name}`, value, attributeValueBytes)
  }
}
