import Type, { type Static, type TSchema } from 'typebox'
import {
  attributeNameBytes,
  attributePairs,
  attributeValueBytes,
  hwidBytes,
  licenseKeyBytes
} from '../../protocol/limits.js'
import { keyHashPattern } from '../../registry/license-factory.js'

/** Schemas that several resources share. Times are ISO 8601 in HTTP and unix milliseconds inside the gateway. */

/** Most items on one page of a list. */
export const maxPageItems = 1000
export const defaultPageItems = 100
/** Most patterns of one capability. */
const maxPatterns = 64

/**
 * Refers to a shared schema by its `$id`, so that the reference shows it once. Keeps the schema's static type.
 * @param description  its meaning at this place
 */
export function refer<Schema extends TSchema>(schema: Schema, description?: string) {
  const { $id } = schema as { readonly $id?: string }
  return Type.Unsafe<Static<Schema>>({ $ref: `${$id}#`, ...(description === undefined ? {} : { description }) })
}

/** A read-only array, as the registry returns it. */
export function list<Schema extends TSchema>(items: Schema, options: Type.TArrayOptions = {}) {
  return Type.Immutable(Type.Array(items, options))
}

export function oneOf<const Values extends string[]>(values: readonly [...Values], description: string) {
  return Type.Enum(values, { type: 'string', description })
}

export function identifier(description: string, example: string) {
  return Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description, examples: [example] })
}

/** A time in a request, with any UTC offset. */
export function time(description: string) {
  return Type.String({ format: 'date-time', maxLength: 40, description, examples: ['2027-01-01T00:00:00Z'] })
}

/** A time in a response: always UTC, with milliseconds. */
export function timeShown(description: string) {
  return Type.String({ format: 'date-time', description, examples: ['2026-11-22T10:15:00.000Z'] })
}

/** A secret, in the only response that contains it. */
export function secretShown(description: string, example: string) {
  return Type.String({ description: `${description} **Returned only once.**`, examples: [example] })
}

export const clientIdSchema = identifier('Id of the client.', 'game-1')
export const keyIdSchema = identifier('Id of the key. Not secret.', 'key_5f0c2d9e8b7a')

export function channelSchema(description: string) {
  return Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,128}$', description, examples: ['news'] })
}

export const serviceIdSchema = identifier('Id of the service, e.g. one of your products.', 'my-game')
export const hwidSchema = Type.String({
  minLength: 1,
  maxLength: hwidBytes,
  description: `Hardware id, at most ${hwidBytes} bytes. Percent-encoded in a path.`,
  examples: ['disk-7f3a']
})
export const licenseKeySchema = Type.String({
  minLength: 1,
  maxLength: licenseKeyBytes,
  description: `The license key, at most ${licenseKeyBytes} bytes.`,
  examples: ['ABCDE-FGHJK-MNPQR-STVWX-YZ234']
})

export const keyHashSchema = Type.String({
  pattern: keyHashPattern,
  description:
    'Stands for the key in an export: a keyed hash under the pepper of the store. A store with the same pepper imports it.',
  examples: ['5d1c0a77.0b5e3f2a9c8d4e6f0b5e3f2a9c8d4e6f.91f02c3b']
})

// Not Type.Record: its pattern does not match names with a line break, so their values would not be validated.
export const attributesSchema = Type.Unsafe<Readonly<Record<string, string>>>({
  type: 'object',
  additionalProperties: { type: 'string', maxLength: attributeValueBytes },
  maxProperties: attributePairs,
  propertyNames: { minLength: 1, maxLength: attributeNameBytes },
  description: `Your own data: names of at most ${attributeNameBytes} bytes, values of at most ${attributeValueBytes} bytes.`,
  examples: [{ team: 'blue' }]
})

/** Literal characters, then at most one final `*` (PROTOCOL §3). */
function patternList(pattern: string, description: string, example: string) {
  return list(Type.String({ pattern }), { maxItems: maxPatterns, description, examples: [[example]] })
}

const channelPattern = '^(?=.)[A-Za-z0-9_.:-]{0,128}\\*?$'
const namePattern = '^(?=.)[A-Za-z0-9._-]{0,64}\\*?$'
const callPattern = '^(\\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63}/(?=.)[A-Za-z0-9_.:-]{0,64}\\*?)$'

export const capabilitySchemas = {
  subscribe: patternList(channelPattern, 'Patterns of channels that may be subscribed to.', 'match:*'),
  publish: patternList(channelPattern, 'Patterns of channels that may be published to.', 'match:1'),
  services: patternList(namePattern, 'Patterns of services whose licenses may be validated.', '*'),
  call: patternList(
    callPattern,
    'Patterns of methods that may be called, as `<clientId>/<method>`. `*` allows any.',
    'my-game/kick'
  ),
  presence: patternList(channelPattern, 'Patterns of channels whose presence may be seen.', 'match:*')
}
export const clientPatternsSchema = patternList(
  namePattern,
  'Patterns of clients for which tickets may be created.',
  'web-*'
)

export const wantedCapabilities = {
  subscribe: Type.Optional(capabilitySchemas.subscribe),
  publish: Type.Optional(capabilitySchemas.publish),
  services: Type.Optional(capabilitySchemas.services),
  call: Type.Optional(capabilitySchemas.call),
  presence: Type.Optional(capabilitySchemas.presence)
}

const nextSchema = Type.String({ description: 'The `after` of the next page. Absent on the last page.' })

export const pageQuerySchema = Type.Object(
  {
    after: Type.Optional(Type.String({ maxLength: 128, description: 'The `next` of the previous page.' })),
    // A string, because query values are strings and the gateway coerces nothing.
    limit: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,4}$',
        description: `Items per page: 1 to ${maxPageItems}. Default: ${defaultPageItems}.`,
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

/** One page of a list of records. */
export function recordPageSchema<Schema extends TSchema>(item: Schema, $id: string) {
  const unreadable = list(Type.String(), {
    description:
      'Ids of the records on this page that do not open: their master key is missing, or they were changed in the store. They count for `limit`. `DELETE` removes one. Absent if all open.',
    examples: [['game-1']]
  })
  return Type.Object({ ...pageSchema(item, '').properties, unreadable: Type.Optional(unreadable) }, { $id })
}
