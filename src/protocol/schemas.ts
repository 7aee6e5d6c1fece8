import Type, { type Static, type TSchema } from 'typebox'
import {
  attributeNameBytes,
  attributePairs,
  attributeValueBytes,
  hwidBytes,
  licenseKeyBytes,
  protocolName
} from './limits.js'

/**
 * All messages of the protocol (PROTOCOL §4, §6, §7, §9, §10) and their types. Only the build reads the schemas at run
 * time: `scripts/generate-checks.mjs` generates `checks.generated.ts`, plain code without typebox, for gateways and
 * browsers.
 *
 * `description` completes "expected …" in an error message. `maxBytes` bounds UTF-8 bytes; JSON Schema has no such keyword.
 */

const count = (minimum: number) =>
  Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, description: `an integer from ${minimum} to 2^53-1` })

const text = (maxBytes: number, minLength = 1) =>
  Type.String({ minLength, maxBytes, description: `text of ${minLength} to ${maxBytes} bytes` })

const matching = (pattern: string, description: string) => Type.String({ pattern, description })

const identifier = matching(
  '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
  'an identifier: 1 to 64 of letters, digits, ".", "_", "-", the first a letter or digit'
)
const challengeToken = matching('^[A-Za-z0-9_-]{43}$', '43 base64url characters')
const hexTag = matching('^[0-9a-f]{64}$', '64 lower-case hex characters')
const channel = Type.String({
  pattern: '^[A-Za-z0-9_.:-]{1,128}$',
  description: 'a channel name: 1 to 128 of letters, digits, "_", ".", ":", "-"',
  code: 'INVALID_CHANNEL'
})
const epoch = text(64)
const offset = count(0)
const seq = count(1)
const time = count(0)

export const attributesSchema = Type.Record(Type.String(), Type.String(), {
  maxProperties: attributePairs,
  nameMaxBytes: attributeNameBytes,
  valueMaxBytes: attributeValueBytes,
  description: `at most ${attributePairs} short texts (name 1 to ${attributeNameBytes}, value up to ${attributeValueBytes} bytes)`
})

const message = <T extends Record<string, TSchema>>(members: T) => Type.Object(members)

export const upstream = {
  authenticate: message({
    type: Type.Literal('authenticate'),
    seq: Type.Literal(1, { description: '1' }),
    protocol: Type.Literal(protocolName, { description: protocolName }),
    clientId: identifier,
    keyId: Type.Optional(identifier),
    challengeToken,
    challengeSignature: hexTag,
    clientNonce: matching('^[A-Za-z0-9_-]{22,64}$', '22 to 64 base64url characters'),
    attributes: Type.Optional(attributesSchema)
  }),
  validate: message({
    type: Type.Literal('validate'),
    seq,
    serviceId: identifier,
    hwid: Type.Optional(text(hwidBytes)),
    key: text(licenseKeyBytes)
  }),
  heartbeat: message({ type: Type.Literal('heartbeat'), seq }),
  challengeResponse: message({
    type: Type.Literal('challengeResponse'),
    seq,
    challengeToken: Type.String({ description: 'text' }),
    challengeSignature: Type.String({ description: 'text' })
  }),
  subscribe: message({
    type: Type.Literal('subscribe'),
    seq,
    channel,
    recover: Type.Optional(Type.Object({ offset, epoch }, { description: '{ offset, epoch }' }))
  }),
  unsubscribe: message({ type: Type.Literal('unsubscribe'), seq, channel }),
  publish: message({
    type: Type.Literal('publish'),
    seq,
    channel,
    data: Type.Unknown({ description: 'any JSON value' }),
    idempotencyKey: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'text of 1 to 64 characters' })
    )
  }),
  bye: message({ type: Type.Literal('bye'), seq }),
  poll: message({
    type: Type.Literal('poll'),
    poll: count(1),
    ack: count(0),
    wait: Type.Number({ minimum: 0, description: 'seconds, 0 or more' })
  })
}

const re = Type.Optional(count(1))
const code = Type.String({ minLength: 1, maxBytes: 64, description: 'a code' })

export const downstream = {
  challenge: message({
    type: Type.Literal('challenge'),
    seq: Type.Optional(seq),
    protocol: Type.Optional(Type.Literal(protocolName, { description: protocolName })),
    challengeToken,
    expiresIn: count(1),
    serverTime: Type.Optional(time)
  }),
  welcome: message({
    type: Type.Literal('welcome'),
    seq: Type.Literal(1, { description: '1' }),
    re: Type.Literal(1, { description: '1' }),
    protocol: Type.Optional(Type.Literal(protocolName, { description: protocolName })),
    sessionId: matching('^[A-Za-z0-9_-]{1,64}$', '1 to 64 base64url characters'),
    clientId: identifier,
    keyId: identifier,
    heartbeatInterval: count(1),
    heartbeatTimeout: count(1),
    serverTime: time,
    expiresAt: time,
    limits: Type.Optional(Type.Record(Type.String(), Type.Number(), { description: 'numbers by name' })),
    subscriptions: Type.Optional(
      Type.Array(Type.Object({ channel, offset, epoch }), { description: 'positions of channels' })
    )
  }),
  heartbeat: message({ type: Type.Literal('heartbeat'), seq, re, serverTime: time }),
  ping: message({ type: Type.Literal('ping'), seq }),
  validation: message({
    type: Type.Literal('validation'),
    seq,
    re,
    valid: Type.Boolean({ description: 'true or false' }),
    code,
    serviceId: identifier,
    licenseId: Type.Optional(identifier),
    expiresAt: Type.Optional(time),
    maxHwids: Type.Optional(count(1)),
    boundHwids: Type.Optional(count(0))
  }),
  ack: message({ type: Type.Literal('ack'), seq, re }),
  subscribed: message({
    type: Type.Literal('subscribed'),
    seq,
    re,
    channel,
    offset,
    epoch,
    recovered: Type.Boolean({ description: 'true or false' }),
    publications: Type.Optional(
      Type.Array(
        Type.Object({ offset, data: Type.Unknown(), publishedAt: time, publisher: Type.Optional(identifier) }),
        {
          description: 'publications'
        }
      )
    )
  }),
  published: message({
    type: Type.Literal('published'),
    seq,
    re,
    channel,
    offset,
    epoch,
    duplicate: Type.Optional(Type.Boolean({ description: 'true or false' }))
  }),
  publication: message({
    type: Type.Literal('publication'),
    seq,
    channel,
    offset,
    epoch,
    data: Type.Unknown({ description: 'any JSON value' }),
    publishedAt: time,
    publisher: Type.Optional(identifier)
  }),
  unsubscribed: message({ type: Type.Literal('unsubscribed'), seq, channel, code }),
  polled: message({
    type: Type.Literal('polled'),
    re: count(0),
    more: Type.Boolean({ description: 'true or false' }),
    superseded: Type.Boolean({ description: 'true or false' })
  }),
  reconnect: message({ type: Type.Literal('reconnect'), seq, afterMs: count(0) }),
  error: message({
    type: Type.Literal('error'),
    seq: Type.Optional(seq),
    re,
    code,
    message: Type.String({ description: 'text' }),
    retryAfterMs: Type.Optional(count(0)),
    poll: Type.Optional(count(1)),
    expectedSeq: Type.Optional(count(1)),
    outcome: Type.Optional(Type.String({ description: 'text' }))
  })
}

type MessageOf<Table extends Record<string, TSchema>> = { [K in keyof Table]: Static<Table[K]> }

export type UpstreamMessages = MessageOf<typeof upstream>
export type DownstreamMessages = MessageOf<typeof downstream>
export type Upstream = UpstreamMessages[keyof UpstreamMessages]
export type Downstream = DownstreamMessages[keyof DownstreamMessages]
export type Attributes = Static<typeof attributesSchema>
