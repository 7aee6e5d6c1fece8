import Type, { type TSchema } from 'typebox'
import { attributeNameBytes, attributePairs, attributeValueBytes, callErrorCharacters } from './limits.js'

/**
 * The members that the messages share.
 *
 * `description` completes "expected …" in an error message. `maxBytes` bounds UTF-8 bytes; JSON Schema has no such keyword.
 */

export const count = (minimum: number) =>
  Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, description: `an integer from ${minimum} to 2^53-1` })

export const range = (minimum: number, maximum: number) =>
  Type.Integer({ minimum, maximum, description: `an integer from ${minimum} to ${maximum}` })

export const text = (maxBytes: number, minLength = 1) =>
  Type.String({ minLength, maxBytes, description: `text of ${minLength} to ${maxBytes} bytes` })

export const matching = (pattern: string, description: string) => Type.String({ pattern, description })

export const identifier = matching(
  '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
  'an identifier: 1 to 64 of letters, digits, ".", "_", "-", the first a letter or digit'
)
export const challengeToken = matching('^[A-Za-z0-9_-]{43}$', '43 base64url characters')
export const hexTag = matching('^[0-9a-f]{64}$', '64 lower-case hex characters')
export const channel = Type.String({
  pattern: '^[A-Za-z0-9_.:-]{1,128}$',
  description: 'a channel name: 1 to 128 of letters, digits, "_", ".", ":", "-"',
  code: 'INVALID_CHANNEL'
})
export const sessionId = matching('^[A-Za-z0-9_-]{1,64}$', '1 to 64 base64url characters')
export const callId = matching('^[A-Za-z0-9_-]{22,64}$', '22 to 64 base64url characters')
export const method = matching(
  '^[A-Za-z0-9_.:-]{1,64}$',
  'a method name: 1 to 64 of letters, digits, "_", ".", ":", "-"'
)
/** The error that a receiver returns instead of data. */
export const callError = Type.Object(
  {
    code: Type.String({ pattern: '^[A-Z][A-Z0-9_]{0,63}$' }),
    message: Type.String({ maxLength: callErrorCharacters })
  },
  {
    description: `{ code, message }: a code of 1 to 64 of A to Z, 0 to 9, "_", and text of at most ${callErrorCharacters} characters`
  }
)
export const idempotencyKey = Type.String({ minLength: 1, maxLength: 64, description: 'text of 1 to 64 characters' })
export const epoch = text(64)
export const offset = count(0)
export const position = Type.Object({ offset, epoch }, { description: '{ offset, epoch }' })
export const seq = count(1)
export const time = count(0)

export const attributesSchema = Type.Record(Type.String(), Type.String(), {
  maxProperties: attributePairs,
  nameMaxBytes: attributeNameBytes,
  valueMaxBytes: attributeValueBytes,
  description: `at most ${attributePairs} short texts (name 1 to ${attributeNameBytes}, value up to ${attributeValueBytes} bytes)`
})

export const message = <T extends Record<string, TSchema>>(members: T) => Type.Object(members)
