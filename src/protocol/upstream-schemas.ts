import Type from 'typebox'
import {
  callTimeoutMs,
  defaultLimits,
  hwidBytes,
  licenseKeyBytes,
  maxListedSessions,
  presenceLimit,
  protocolName
} from './limits.js'
import {
  attributesSchema,
  callError,
  callId,
  challengeToken,
  channel,
  count,
  hexTag,
  idempotencyKey,
  identifier,
  matching,
  message,
  method,
  position,
  range,
  seq,
  sessionId,
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
    idempotencyKey: Type.Optional(idempotencyKey)
  }),
  call: message({
    type: Type.Literal('call'),
    seq,
    to: Type.Object(
      { sessionId: Type.Optional(sessionId), clientId: Type.Optional(identifier) },
      // Unknown members are refused: one could change the receiver of the call, as `all` of `POST /v1/calls` does.
      { minProperties: 1, maxProperties: 1, description: '{ sessionId } or { clientId }' }
    ),
    method,
    data: Type.Optional(Type.Unknown({ description: 'any JSON value' })),
    timeoutMs: Type.Optional(
      Type.Integer({
        minimum: callTimeoutMs.min,
        maximum: callTimeoutMs.max,
        description: `an integer from ${callTimeoutMs.min} to ${callTimeoutMs.max}`
      })
    ),
    idempotencyKey: Type.Optional(idempotencyKey)
  }),
  callResult: message({
    type: Type.Literal('callResult'),
    seq,
    callId,
    data: Type.Optional(Type.Unknown({ description: 'any JSON value' })),
    error: Type.Optional(callError)
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
