import Type, { type Static, type TSchema } from 'typebox'
import {
  attributeNameBytes,
  attributePairs,
  attributeValueBytes,
  hwidBytes,
  licenseKeyBytes
} from '../../protocol/limits.js'

/** Shapes that the HTTP API's calls share. Times are ISO 8601 outside and unix milliseconds inside. */

/** Most items of one page of a list. */
export const maxPageItems = 1000
export const defaultPageItems = 100
/** Patterns of one capability. */
const maxPatterns = 64

/**
 * A shared schema by its name: the document shows it once. The types are those of the schema itself.
 * @param description  what it is in this place
 */
export function refer<Schema extends TSchema>(schema: Schema, description?: string) {
  const { $id } = schema as { readonly $id?: string }
  return Type.Unsafe<Static<Schema>>({ $ref: `${$id}#`, ...(description === undefined ? {} : { description }) })
}

/** What the registry hands out is never changed by a route. */
export function list<Schema extends TSchema>(items: Schema, options: Type.TArrayOptions = {}) {
  return Type.Immutable(Type.Array(items, options))
}

export function oneOf<const Values extends string[]>(values: readonly [...Values], description: string) {
  return Type.Enum(values, { type: 'string', description })
}

export function identifier(description: string, example: string) {
  return Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description, examples: [example] })
}

/** A time in a request. Any offset is good. */
export function time(description: string) {
  return Type.String({ format: 'date-time', maxLength: 40, description, examples: ['2027-01-01T00:00:00Z'] })
}

/** A time in an answer: always UTC, with milliseconds. */
export function timeShown(description: string) {
  return Type.String({ format: 'date-time', description, examples: ['2026-11-22T10:15:00.000Z'] })
}

/** A secret, in the one answer that has it. */
export function secretShown(description: string, example: string) {
  return Type.String({ description: `${description} **Shown this once.**`, examples: [example] })
}

export const clientIdSchema = identifier('Who: the client’s own name.', 'game-1')
export const keyIdSchema = identifier('Which key. Not secret.', 'key_5f0c2d9e8b7a')

export function channelSchema(description: string) {
  return Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,128}$', description, examples: ['news'] })
}

export const serviceIdSchema = identifier('Which of your products.', 'my-game')
export const hwidSchema = Type.String({
  minLength: 1,
  maxLength: hwidBytes,
  description: `What a copy runs on, at most ${hwidBytes} bytes. In a path it is percent-encoded.`,
  examples: ['disk-7f3a']
})
export const licenseKeySchema = Type.String({
  minLength: 1,
  maxLength: licenseKeyBytes,
  description: `The license key, at most ${licenseKeyBytes} bytes.`,
  examples: ['ABCDE-FGHJK-MNPQR-STVWX-YZ234']
})

// Not Type.Record: its pattern for names misses those with a line break, whose values then pass unseen.
export const attributesSchema = Type.Unsafe<Readonly<Record<string, string>>>({
  type: 'object',
  additionalProperties: { type: 'string', maxLength: attributeValueBytes },
  maxProperties: attributePairs,
  propertyNames: { minLength: 1, maxLength: attributeNameBytes },
  description: `Facts of your own; names of at most ${attributeNameBytes} bytes, values of ${attributeValueBytes}.`,
  examples: [{ team: 'blue' }]
})

/** Literal characters, then at most one final `*` (PROTOCOL §3). */
function patternList(pattern: string, description: string, example: string) {
  return list(Type.String({ pattern }), { maxItems: maxPatterns, description, examples: [[example]] })
}

const channelPattern = '^(?=.)[A-Za-z0-9_.:-]{0,128}\\*?$'
const namePattern = '^(?=.)[A-Za-z0-9._-]{0,64}\\*?$'

export const capabilitySchemas = {
  subscribe: patternList(channelPattern, 'Channels that may be heard: patterns.', 'match:*'),
  publish: patternList(channelPattern, 'Channels that may be spoken on: patterns.', 'match:1'),
  services: patternList(namePattern, 'Services whose licenses may be validated: patterns.', '*')
}
export const clientPatternsSchema = patternList(namePattern, 'Clients for which tickets may be had: patterns.', 'web-*')

export const wantedCapabilities = {
  subscribe: Type.Optional(capabilitySchemas.subscribe),
  publish: Type.Optional(capabilitySchemas.publish),
  services: Type.Optional(capabilitySchemas.services)
}

const nextSchema = Type.String({ description: 'The `after` of the next call. Missing on the last page.' })

export const pageQuerySchema = Type.Object(
  {
    after: Type.Optional(Type.String({ maxLength: 128, description: 'The `next` of the page before.' })),
    // A query has only text, and nothing else of a request is ever coerced.
    limit: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,4}$',
        description: `Items of a page: 1 to ${maxPageItems}; ${defaultPageItems} where it is missing.`,
        examples: ['100']
      })
    )
  },
  { additionalProperties: false }
)

export type PageQuery = Static<typeof pageQuerySchema>

/** One page of a list. */
export function pageSchema<Schema extends TSchema>(item: Schema, $id: string) {
  return Type.Object({ items: list(refer(item)), next: Type.Optional(nextSchema) }, { $id })
}
