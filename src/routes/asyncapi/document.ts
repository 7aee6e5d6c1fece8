import { downstream, upstream } from '../../protocol/schemas.js'
import { downstreamRows, upstreamRows } from './messages.js'

/** The AsyncAPI document of the wire, from the message schemas. */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined }
type JsonObject = { readonly [name: string]: Json | undefined }
type Direction = 'upstream' | 'downstream'

/** Keywords of the message schemas that JSON Schema does not have. */
const ownKeywords: ReadonlySet<string> = new Set(['maxBytes', 'nameMaxBytes', 'valueMaxBytes', 'code'])

const signature = {
  type: 'string',
  pattern: '^[0-9a-f]{64}$',
  description: 'HMAC-SHA256 of all bytes before it and `}`. The last member.'
}
/** Without a signature before a session opens. */
const mayBeUnsigned: ReadonlySet<string> = new Set(['challenge', 'error'])

/** @param isNames  whether the object's members are names, not keywords */
function withOwnKeywordsMarked(value: Json, isNames = false): Json {
  if (Array.isArray(value)) return value.map(each => withOwnKeywordsMarked(each))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value as JsonObject).map(([name, member]): [string, Json | undefined] => {
    const isKeyword = !isNames && ownKeywords.has(name)
    const holdsNames = !isNames && (name === 'properties' || name === 'patternProperties')
    return [
      isKeyword ? `x-${name}` : name,
      member === undefined ? undefined : withOwnKeywordsMarked(member, holdsNames)
    ]
  })
  return Object.fromEntries(entries)
}

/** The payload of a message: its members, and its signature. */
function payloadOf(type: string, schema: object): Json {
  const { properties, required, ...rest } = withOwnKeywordsMarked(JSON.parse(JSON.stringify(schema))) as {
    readonly properties: JsonObject
    readonly required: readonly string[]
  }
  return {
    ...rest,
    properties: { ...properties, signature },
    required: [...required, ...(mayBeUnsigned.has(type) ? [] : ['signature'])]
  }
}

/** E.g. `upstreamHistory`: some types exist in both directions. */
function keyOf(direction: Direction, type: string): string {
  return direction + type.charAt(0).toUpperCase() + type.slice(1)
}

function messageOf(direction: Direction, type: string, summary: string, schema: { readonly properties: object }): Json {
  const correlation = direction === 'upstream' ? 'seq' : 're'
  const hasCorrelation = Object.hasOwn(schema.properties, correlation)
  return {
    ...{ name: type, title: type, summary, contentType: 'application/json' },
    ...(hasCorrelation ? { correlationId: { location: `$message.payload#/${correlation}` } } : {}),
    payload: payloadOf(type, schema)
  }
}

const messages: JsonObject = Object.fromEntries([
  ...Object.entries(upstreamRows).map(([type, { summary }]) => [
    keyOf('upstream', type),
    messageOf('upstream', type, summary, upstream[type as keyof typeof upstream])
  ]),
  ...Object.entries(downstreamRows).map(([type, { summary }]) => [
    keyOf('downstream', type),
    messageOf('downstream', type, summary, downstream[type as keyof typeof downstream])
  ])
])

const refer = (path: string) => ({ $ref: path })

interface ChannelText {
  readonly address: string
  readonly summary: string
  readonly more?: JsonObject
}

/** @param keys  of its messages */
function channelOf({ address, summary, more = {} }: ChannelText, keys: readonly string[]): Json {
  const of = Object.fromEntries(keys.map(key => [key, refer(`#/components/messages/${key}`)]))
  return { address, summary, messages: of, ...more }
}

const upstreamTypes = Object.keys(upstreamRows)
const downstreamTypes = Object.keys(downstreamRows)
const onlyOnBridge: ReadonlySet<string> = new Set(['poll', 'polled'])
const notInExchanges: ReadonlySet<string> = new Set(['authenticate', 'welcome', 'ping', 'reconnect'])
const onWs = (type: string) => !onlyOnBridge.has(type)
const inExchange = (type: string) => !notInExchanges.has(type)
const keysOf = (uses: (type: string) => boolean) => [
  ...upstreamTypes.filter(uses).map(type => keyOf('upstream', type)),
  ...downstreamTypes.filter(uses).map(type => keyOf('downstream', type))
]

const channels: JsonObject = {
  ws: channelOf(
    {
      address: '/v1/ws',
      summary: 'A WebSocket: one frame a text message, in both directions (PROTOCOL.md, section 8).',
      more: { bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } } }
    },
    keysOf(onWs)
  ),
  bridgeChallenge: channelOf(
    { address: '/v1/bridge/challenge', summary: 'POST with an empty body; the answer is a challenge.' },
    [keyOf('downstream', 'challenge'), keyOf('downstream', 'error')]
  ),
  bridgeSessions: channelOf(
    { address: '/v1/bridge/sessions', summary: 'POST an `authenticate`; the answer is a welcome.' },
    [keyOf('upstream', 'authenticate'), keyOf('downstream', 'welcome'), keyOf('downstream', 'error')]
  ),
  bridgeExchange: channelOf(
    {
      address: '/v1/bridge/sessions/{sessionId}/exchange',
      summary:
        'POST frames, one a line, the last a `poll`; the answer is frames, the last a `polled` (PROTOCOL.md, section 9).',
      more: { parameters: { sessionId: { description: 'The `sessionId` of the welcome.' } } }
    },
    keysOf(inExchange)
  )
}

const inChannel = (channel: string, key: string) => refer(`#/channels/${channel}/messages/${key}`)

/** The gateway's side of a request: it receives the request and replies. */
function requestOf(channel: string, summary: string, received: readonly string[], replies: readonly string[]): Json {
  return {
    ...{ action: 'receive', channel: refer(`#/channels/${channel}`), summary },
    messages: received.map(key => inChannel(channel, key)),
    reply: { channel: refer(`#/channels/${channel}`), messages: replies.map(key => inChannel(channel, key)) }
  }
}

const httpPost = { bindings: { http: { method: 'POST', bindingVersion: '0.3.0' } } }

function operations(): JsonObject {
  const error = keyOf('downstream', 'error')
  const requests = Object.entries(upstreamRows).filter(([type]) => onWs(type))
  const unprompted = Object.entries(downstreamRows).filter(([, { isUnprompted }]) => isUnprompted === true)
  const bridge = (channel: string, summary: string, received: readonly string[], replies: readonly string[]) => ({
    ...(requestOf(channel, summary, received, replies) as JsonObject),
    ...httpPost
  })
  const exchanged = (direction: Direction, types: readonly string[]) =>
    types.filter(inExchange).map(type => keyOf(direction, type))
  return {
    ...Object.fromEntries(
      requests.map(([type, { summary, answers }]) => {
        const replies = [...answers.map(answer => keyOf('downstream', answer)), error]
        return [keyOf('upstream', type), requestOf('ws', summary, [keyOf('upstream', type)], replies)]
      })
    ),
    ...Object.fromEntries(
      unprompted.map(([type, { summary }]) => {
        const key = keyOf('downstream', type)
        return [key, { action: 'send', channel: refer('#/channels/ws'), summary, messages: [inChannel('ws', key)] }]
      })
    ),
    bridgeAuthenticate: bridge(
      'bridgeSessions',
      'Opens a session.',
      [keyOf('upstream', 'authenticate')],
      [keyOf('downstream', 'welcome'), error]
    ),
    bridgeExchange: bridge(
      'bridgeExchange',
      'Carries frames both ways, and holds a poll.',
      exchanged('upstream', upstreamTypes),
      exchanged('downstream', downstreamTypes)
    )
  }
}

const description = `
The signed frames between clients and the gateway, from the gateway's side: it receives what is upstream and sends what is downstream. PROTOCOL.md is the
normative text; it states the order of checks, the keys, and what a client does with each answer. Every frame of a session ends with its signature and has a
\`seq\` that rises by 1. Unknown members are ignored. \`x-maxBytes\` bounds UTF-8 bytes, which JSON Schema cannot. The HTTP API is in \`/openapi.json\`.
`.trim()

/** @param version  of the gateway */
export function asyncApiDocument(version: string): JsonObject {
  return {
    asyncapi: '3.0.0',
    info: { title: 'Countersign wire protocol', version, description, license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    channels,
    operations: operations(),
    components: { messages }
  }
}
