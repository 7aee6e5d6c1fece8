import Type from 'typebox'
import { defaultLimits, hwidBytes, licenseKeyBytes, maxListedSessions, presenceLimit, protocolName } from './limits.js'
import {
  attributesSchema,
  challengeToken,
  channel,
  count,
  hexTag,
  identifier,
  matching,
  message,
  position,
  range,
  seq,
  text
} from './schema-parts.js'

/** The messages of a client (PROTOCOL §4, §6, §7, §9, §10, §13). */
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
    recover: Type.Optional(position),
    last: Type.Optional(range(1, defaultLimits.last)),
    presence: Type.Optional(Type.Boolean({ description: 'true or false' }))
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
  history: message({
    type: Type.Literal('history'),
    seq,
    channel,
    limit: Type.Optional(range(1, defaultLimits.history)),
    before: Type.Optional(position)
  }),
  attributes: message({ type: Type.Literal('attributes'), seq, attributes: attributesSchema }),
  sessions: message({
    type: Type.Literal('sessions'),
    seq,
    clientId: identifier,
    limit: Type.Optional(range(1, maxListedSessions)),
    after: Type.Optional(text(64))
  }),
  presence: message({
    type: Type.Literal('presence'),
    seq,
    channel,
    limit: Type.Optional(range(0, presenceLimit))
  }),
  bye: message({ type: Type.Literal('bye'), seq }),
  poll: message({
    type: Type.Literal('poll'),
    poll: count(1),
    ack: count(0),
    wait: Type.Number({ minimum: 0, description: 'seconds, 0 or more' })
  })
}
