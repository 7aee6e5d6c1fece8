import Type from 'typebox'
import { protocolName } from './limits.js'
import {
  callId,
  challengeToken,
  channel,
  count,
  epoch,
  identifier,
  message,
  method,
  offset,
  seq,
  sessionId,
  text,
  time
} from './schema-parts.js'

/** The messages of the gateway (PROTOCOL §4, §6, §7, §9, §10, §13). */

const attributes = Type.Record(Type.String(), Type.String(), { description: 'texts by name' })
const present = Type.Array(Type.Object({ sessionId, clientId: identifier }), { description: 'sessions' })
const re = Type.Optional(count(1))
const code = Type.String({ minLength: 1, maxBytes: 64, description: 'a code' })

const publications = Type.Array(
  Type.Object({ offset, data: Type.Unknown(), publishedAt: time, publisher: Type.Optional(identifier) }),
  { description: 'publications' }
)

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
    sessionId,
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
  ack: message({
    type: Type.Literal('ack'),
    seq,
    re,
    expired: Type.Optional(Type.Boolean({ description: 'true or false' }))
  }),
  subscribed: message({
    type: Type.Literal('subscribed'),
    seq,
    re,
    channel,
    offset,
    epoch,
    recovered: Type.Boolean({ description: 'true or false' }),
    publications: Type.Optional(publications)
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
  history: message({
    type: Type.Literal('history'),
    seq,
    re,
    channel,
    epoch,
    publications,
    more: Type.Boolean({ description: 'true or false' })
  }),
  sessions: message({
    type: Type.Literal('sessions'),
    seq,
    re,
    sessions: Type.Array(
      Type.Object({
        sessionId,
        clientId: identifier,
        transport: Type.String({ description: 'text' }),
        openedAt: time,
        lastSeenAt: time,
        attributes
      }),
      { description: 'sessions' }
    ),
    next: Type.Optional(text(64))
  }),
  presence: message({
    type: Type.Literal('presence'),
    seq,
    re,
    channel,
    count: count(0),
    sessions: Type.Array(Type.Object({ sessionId, clientId: identifier, attributes }), { description: 'sessions' })
  }),
  presenceChanged: message({
    type: Type.Literal('presenceChanged'),
    seq,
    channel,
    count: count(0),
    joined: present,
    left: present
  }),
  call: message({
    type: Type.Literal('call'),
    seq,
    callId,
    from: Type.Optional(identifier),
    method,
    data: Type.Optional(Type.Unknown({ description: 'any JSON value' })),
    expiresAt: time
  }),
  called: message({
    type: Type.Literal('called'),
    seq,
    re,
    sessionId,
    data: Type.Optional(Type.Unknown({ description: 'any JSON value' }))
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
    outcome: Type.Optional(Type.String({ description: 'text' })),
    error: Type.Optional(
      Type.Object({ code: Type.String(), message: Type.String() }, { description: '{ code, message }' })
    )
  })
}
