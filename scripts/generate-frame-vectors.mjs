// Generates test/vectors/frames.json: the messages of PROTOCOL §10.6, §10.7 and §15 as signed frames, under the session keys of
// test/vectors/wire.json, and messages that a gateway refuses without ending the session: npm run generate.
import { createHmac } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = name => fileURLToPath(new URL(`../test/vectors/${name}`, import.meta.url))
const { clientKey, serverKey } = JSON.parse(readFileSync(path('wire.json'), 'utf8')).handshake

function sign(key, message) {
  const text = JSON.stringify(message)
  const signature = createHmac('sha256', Buffer.from(key, 'hex')).update(text).digest('hex')
  return `${text.slice(0, -1)},"signature":"${signature}"}`
}

const sessionId = 'Zk3vXw9aT1qLr8YpB2mNcg'
const other = 'u5Xb2mQ9vT1kLr8wZc4eYh'
const position = { offset: 7, epoch: 'Hx7iKuzdnZbr5s' }
const entry = (offset, data, publisher) => ({
  ...{ offset, data, publishedAt: 1795334400000 + offset },
  ...(publisher === undefined ? {} : { publisher })
})

const upstream = [
  ['join with the newest', { type: 'subscribe', channel: 'config', last: 1 }],
  ['join with changes of presence', { type: 'subscribe', channel: 'lobby', presence: true }],
  ['all of it', { type: 'subscribe', channel: 'lobby', last: 512, presence: false }],
  ['the newest', { type: 'history', channel: 'config' }],
  ['those before a position', { type: 'history', channel: 'config', limit: 100, before: position }],
  ['no attributes', { type: 'attributes', attributes: {} }],
  ['no attributes, as Luau encodes them', { type: 'attributes', attributes: [] }],
  ['attributes of 128 bytes', { type: 'attributes', attributes: { players: '12', name: 'ü'.repeat(64) } }],
  ['the first page', { type: 'sessions', clientId: 'game-1' }],
  ['the next page', { type: 'sessions', clientId: 'game-1', limit: 100, after: sessionId }],
  ['the list', { type: 'presence', channel: 'lobby' }],
  ['only the count', { type: 'presence', channel: 'lobby', limit: 0 }]
]

const session = {
  sessionId,
  clientId: 'game-1',
  transport: 'bridge',
  openedAt: 1795334400000,
  lastSeenAt: 1795334460000
}
const downstream = [
  [
    'the newest two',
    {
      type: 'subscribed',
      re: 7,
      channel: 'config',
      ...position,
      recovered: false,
      publications: [entry(6, null, 'game-1'), entry(7, { open: true })]
    }
  ],
  [
    'a live publication',
    { type: 'publication', channel: 'config', offset: 8, epoch: position.epoch, ...entry(8, [1], 'game-1') }
  ],
  [
    'a page',
    {
      type: 'history',
      re: 8,
      channel: 'config',
      epoch: position.epoch,
      publications: [entry(7, 'x', 'game-1')],
      more: true
    }
  ],
  [
    'an empty page',
    { type: 'history', re: 9, channel: 'config', epoch: position.epoch, publications: [], more: false }
  ],
  [
    'a page of sessions',
    { type: 'sessions', re: 10, sessions: [{ ...session, attributes: { players: '12' } }], next: sessionId }
  ],
  ['no sessions', { type: 'sessions', re: 11, sessions: [] }],
  [
    'who is there',
    {
      type: 'presence',
      re: 12,
      channel: 'lobby',
      count: 3,
      sessions: [{ sessionId, clientId: 'game-1', attributes: {} }]
    }
  ],
  [
    'who came and left',
    {
      type: 'presenceChanged',
      channel: 'lobby',
      count: 3,
      joined: [{ sessionId, clientId: 'game-1' }],
      left: [{ sessionId: other, clientId: 'web-1' }]
    }
  ],
  ['an unknown member', { type: 'presenceChanged', channel: 'lobby', count: 0, joined: [], left: [], added: 1 }]
]

const seventeen = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`n${i}`, '']))
const refused = [
  ['last', { type: 'subscribe', channel: 'c', last: 0 }],
  ['last', { type: 'subscribe', channel: 'c', last: 513 }],
  ['last', { type: 'subscribe', channel: 'c', last: 1.5 }],
  ['presence', { type: 'subscribe', channel: 'c', presence: 'true' }],
  ['presence', { type: 'subscribe', channel: 'c', presence: null }],
  ['channel', { type: 'history' }],
  ['limit', { type: 'history', channel: 'c', limit: 101 }],
  ['before', { type: 'history', channel: 'c', before: { offset: 1 } }],
  ['before', { type: 'history', channel: 'c', before: { offset: -1, epoch: 'e' } }],
  ['attributes', { type: 'attributes' }],
  ['attributes', { type: 'attributes', attributes: { n: 1 } }],
  ['attributes', { type: 'attributes', attributes: { '': '' } }],
  ['attributes', { type: 'attributes', attributes: { n: 'ü'.repeat(65) } }],
  ['attributes', { type: 'attributes', attributes: { ['ü'.repeat(17)]: '' } }],
  ['attributes', { type: 'attributes', attributes: seventeen }],
  ['clientId', { type: 'sessions' }],
  ['clientId', { type: 'sessions', clientId: 'a b' }],
  ['limit', { type: 'sessions', clientId: 'c', limit: 0 }],
  ['after', { type: 'sessions', clientId: 'c', after: '' }],
  ['limit', { type: 'presence', channel: 'c', limit: 101 }],
  ['channel', { type: 'presence', channel: 'a b' }, 'INVALID_CHANNEL']
]

/** Gives each message its place in the session. */
const inOrder = (list, key) =>
  list.map(([comment, { type, ...members }], i) => ({ comment, frame: sign(key, { type, seq: i + 2, ...members }) }))

const document = {
  note: 'frames as exact text, under the keys of wire.json. upstream (clientKey) and downstream (serverKey) are accepted. refused (clientKey) have a good signature and take their seq: the answer is an error with this code, whose message begins with this member',
  upstream: inOrder(upstream, clientKey),
  downstream: inOrder(downstream, serverKey),
  refused: refused.map(([member, { type, ...members }, code = 'INVALID_MESSAGE'], i) => ({
    ...{ member, code },
    frame: sign(clientKey, { type, seq: i + 2, ...members })
  }))
}
const text = `${JSON.stringify(document, null, 1)}\n`

if (process.argv.includes('--print')) process.stdout.write(text)
else writeFileSync(path('frames.json'), text)
