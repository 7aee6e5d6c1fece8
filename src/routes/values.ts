import { ApiError } from '../errors.js'
import { attributeNameBytes, attributeValueBytes } from '../protocol/limits.js'
import { defaultPageItems, maxPageItems, type PageQuery } from './common/schema.js'

/** How values come in and go out, where a schema alone cannot say it. */

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

/** The last moment whose ISO form has a year of four digits. */
const lastTime = Date.parse('9999-12-31T23:59:59.999Z')

/** @throws ApiError BAD_REQUEST for a day that is in no calendar */
export function parseTime(text: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time) || time < 0 || time > lastTime) throw new ApiError('BAD_REQUEST', `not a time: ${text}`)
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
