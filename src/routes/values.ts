import { ApiError } from '../errors.js'
import { attributeNameBytes, attributeValueBytes } from '../protocol/limits.js'
import type { RecordPage } from '../registry/records.js'
import { defaultPageItems, maxPageItems, type PageQuery } from './common/schema.js'

/** Conversion and validation of values that JSON Schema cannot express. */

/**
 * One page of a list, with `next` if there may be more items.
 * @param idOf    the sort key of an item
 * @param format  converts an item for the response
 * @throws ApiError BAD_REQUEST, StoreUnavailable
 */
export async function pageOf<Item, Formatted>(
  query: PageQuery,
  read: (after: string, limit: number) => Promise<readonly Item[]>,
  idOf: (item: Item) => string,
  format: (item: Item) => Formatted
): Promise<{ items: Formatted[]; next?: string }> {
  const { after = '' } = query
  const limit = parseLimit(query.limit)
  const items = await read(after, limit)
  const last = items.length === limit ? items.at(-1) : undefined
  return { items: items.map(format), ...(last === undefined ? {} : { next: idOf(last) }) }
}

/**
 * One page of records, with the ids of unreadable ones.
 * @param format  converts an item for the response
 * @throws ApiError BAD_REQUEST, StoreUnavailable
 */
export async function recordPageOf<Item, Formatted>(
  { after = '', limit }: PageQuery,
  records: { list(after: string, limit: number): Promise<RecordPage<Item>> },
  format: (item: Item) => Formatted
): Promise<{ items: Formatted[]; unreadable?: readonly string[]; next?: string }> {
  const { items, unreadable, ...rest } = await records.list(after, parseLimit(limit))
  return { items: items.map(format), ...(unreadable.length === 0 ? {} : { unreadable }), ...rest }
}

/** @throws ApiError BAD_REQUEST */
export function parseLimit(text: string | undefined): number {
  const limit = text === undefined ? defaultPageItems : Number(text)
  if (limit < 1 || limit > maxPageItems)
    throw new ApiError('BAD_REQUEST', `limit is ${limit}; it must be from 1 to ${maxPageItems}`)
  return limit
}

/** The last time whose ISO 8601 form has a four-digit year. */
const lastTime = Date.parse('9999-12-31T23:59:59.999Z')

/** @returns unix milliseconds @throws ApiError BAD_REQUEST, e.g. for February 30 */
export function parseTime(text: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time) || time < 0 || time > lastTime)
    throw new ApiError('BAD_REQUEST', `${text} is not a valid ISO 8601 time`)
  return time
}

/** @param time  unix milliseconds */
export function formatTime(time: number): string {
  return new Date(time).toISOString()
}

/**
 * Checks a text's size in bytes (JSON Schema counts characters) and its Unicode (frames cannot contain a lone surrogate).
 * @throws ApiError BAD_REQUEST
 */
export function requireText(name: string, text: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) throw new ApiError('BAD_REQUEST', `${name}: ${bytes} bytes; the limit is ${maxBytes}`)
  if (!text.isWellFormed()) throw new ApiError('BAD_REQUEST', `${name}: not well-formed Unicode`)
}

/** @throws ApiError BAD_REQUEST */
export function requireAttributes(attributes: Readonly<Record<string, string>> | undefined): void {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    requireText('attribute name', name, attributeNameBytes)
    requireText(`attribute ${name}`, value, attributeValueBytes)
  }
}
