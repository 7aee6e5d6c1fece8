import { readFileSync } from 'node:fs'
import t from 'tap'
import { Compile } from 'typebox/schema'
import { downstream, upstream } from '../../src/protocol/schemas.js'
import { type Body, startGateway } from '../helper/gateway.js'

/** The AsyncAPI document of the wire. */

const gateway = await startGateway(t)
const answer = await fetch(`${gateway.url}/asyncapi.json`)
const document: Body = await answer.json()
const messages: Record<string, Body> = document.components.messages

const keyOf = (direction: string, type: string) => direction + type.charAt(0).toUpperCase() + type.slice(1)
const ofDirection = (direction: 'upstream' | 'downstream') =>
  Object.keys(direction === 'upstream' ? upstream : downstream).map(type => keyOf(direction, type))

/** Follows a local reference. */
function resolve(reference: string): Body {
  t.match(reference, /^#\//)
  return reference
    .slice(2)
    .split('/')
    .reduce((at: Body, name) => at?.[name], document)
}

function referencesIn(value: Body): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries<Body>(value).flatMap(([name, member]) => (name === '$ref' ? [member] : referencesIn(member)))
}

t.test('serves an AsyncAPI 3 document without a token', async t => {
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  t.equal(document.asyncapi, '3.0.0')
  t.equal(document.info.version, JSON.parse(readFileSync('package.json', 'utf8')).version)
})

t.test('the document has the form of AsyncAPI 3: known members only, and every reference resolves', async t => {
  const members = (value: object, allowed: readonly string[], required: readonly string[], what: string) => {
    for (const name of Object.keys(value)) t.ok(allowed.includes(name), `${what}: ${name} is a member`)
    for (const name of required) t.ok(name in value, `${what} has ${name}`)
  }
  const isId = /^[A-Za-z0-9._-]+$/
  members(
    document,
    ['asyncapi', 'info', 'defaultContentType', 'channels', 'operations', 'components'],
    ['asyncapi', 'info'],
    'document'
  )
  members(document.info, ['title', 'version', 'description', 'license'], ['title', 'version'], 'info')
  members(document.info.license, ['name', 'url'], ['name'], 'license')
  for (const [id, channel] of Object.entries<Body>(document.channels)) {
    t.match(id, isId)
    members(channel, ['address', 'summary', 'messages', 'parameters', 'bindings'], ['address', 'messages'], id)
    const parameters = [...channel.address.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    t.same(Object.keys(channel.parameters ?? {}), parameters, `${id} describes its parameters`)
  }
  for (const [id, operation] of Object.entries<Body>(document.operations)) {
    t.match(id, isId)
    members(operation, ['action', 'channel', 'summary', 'messages', 'reply', 'bindings'], ['action', 'channel'], id)
    t.match(operation.action, /^(send|receive)$/)
    // An operation may use only messages of its channel.
    for (const [at, used] of [
      [operation.channel, operation.messages],
      ...(operation.reply === undefined ? [] : [[operation.reply.channel, operation.reply.messages]])
    ]) {
      for (const { $ref } of used) t.ok($ref.startsWith(`${at.$ref}/messages/`), `${id}: ${$ref}`)
    }
  }
  for (const [id, message] of Object.entries(messages)) {
    t.match(id, isId)
    members(message, ['name', 'title', 'summary', 'contentType', 'correlationId', 'payload'], ['payload'], id)
  }
  const references = referencesIn(document)
  t.ok(references.length > 100)
  for (const reference of references) t.not(resolve(reference), undefined, reference)
})

t.test('the document has every message and member of the wire, and no other', async t => {
  const wanted = [...ofDirection('upstream'), ...ofDirection('downstream')]
  t.same(Object.keys(messages).sort(), wanted.sort())
  for (const [direction, schemas] of Object.entries({ upstream, downstream })) {
    for (const [type, { properties }] of Object.entries<{ properties: object }>(schemas)) {
      const { name, payload } = messages[keyOf(direction, type)] ?? {}
      t.equal(name, type)
      t.same(Object.keys(payload.properties), [...Object.keys(properties), 'signature'], type)
    }
  }
  const used = new Set(Object.values<Body>(document.channels).flatMap(({ messages }) => Object.keys(messages)))
  t.same([...used].sort(), wanted.sort(), 'each travels on some channel')
  const operations = new Set(referencesIn(document.operations).map(reference => reference.split('/').at(-1)))
  for (const key of wanted) t.ok(operations.has(key), `${key} belongs to an operation`)
})

t.test('requests have the answers that PROTOCOL.md states', async t => {
  const rows = readFileSync('PROTOCOL.md', 'utf8').matchAll(/^\| `(\w+)`(?: \{[^}]*\})? \| `(\w+)`.* \| .* \|$/gm)
  const stated = new Map([...rows].map(([, type = '', reply = '']) => [type, reply]))
  t.ok(stated.size >= 10)
  for (const [type, reply] of stated) {
    const { action, reply: replied } = document.operations[keyOf('upstream', type)]
    const names = replied.messages.map(({ $ref }: Body) => resolve(resolve($ref).$ref).name)
    t.same([action, names], ['receive', [reply, 'error']], type)
  }
})

t.test('frames that are accepted fit their payload, and frames without a signature do not', async t => {
  const read = (name: string) => JSON.parse(readFileSync(`test/vectors/${name}`, 'utf8'))
  // The downstream frames of wire.json exercise signatures only.
  const frames = {
    upstream: [...read('wire.json').upstream, ...read('frames.json').upstream],
    downstream: read('frames.json').downstream
  }
  for (const [direction, list] of Object.entries(frames)) {
    for (const { frame } of list as { frame: string }[]) {
      const message = JSON.parse(frame)
      const described = messages[keyOf(direction, message.type)]
      if (described === undefined) continue
      // An empty array is accepted where an object is expected (PROTOCOL §2.3).
      if (Array.isArray(message.attributes)) message.attributes = {}
      const payload = Compile(described['payload'])
      t.ok(payload.Check(message), frame.slice(0, 80))
      const { signature: _, ...unsigned } = message
      t.equal(payload.Check(unsigned), ['challenge', 'error'].includes(message.type))
      t.notOk(payload.Check({ ...message, type: 'another' }))
    }
  }
})

t.test('bug: the target of a call had any number of members', async t => {
  const target = Compile(messages['upstreamCall']['payload'].properties.to)
  for (const to of [{ clientId: 'game' }, { sessionId: 's' }]) t.ok(target.Check(to))
  for (const to of [{}, { clientId: 'game', sessionId: 's' }, { clientId: 'game', all: true }])
    t.notOk(target.Check(to))
})

t.test('own keywords are marked as extensions', async t => {
  const text = JSON.stringify(document)
  t.match(text, /"x-maxBytes":/)
  t.notMatch(text, /"(maxBytes|nameMaxBytes|valueMaxBytes)":/)
  t.match(messages['downstreamError']?.['payload'].properties.code, { type: 'string' }, 'a member of that name stays')
})
