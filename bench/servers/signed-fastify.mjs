import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { signMessage, verifyFrame } from '../../dist/protocol/frame.js'
import { createNodeMac } from '../../dist/protocol/mac-node.js'
import { decodePoll, decodeUpstream } from '../../dist/protocol/messages.js'
import { decodeUtf8Node } from '../../dist/protocol/utf8-node.js'

// The minimum of an exchange: a POST, two frames verified and decoded, two signed. It keeps nothing. With REDIS_URL
// also the commands of a session's exchange, in one script without a rule.
const verifier = createNodeMac(Buffer.alloc(32, 1))
const signer = createNodeMac(Buffer.alloc(32, 2))
const depth = 16
const lifeMs = 3_600_000
let sent = 1

const redis = process.env.REDIS_URL === undefined ? undefined : new Redis(process.env.REDIS_URL)
redis?.defineCommand('exchange', {
  numberOfKeys: 2,
  lua: `
local fields = { 'version', 'received', 'sent', 'ack', 'poll', 'bytes', 'arrival', 'identity', 'ended', 'holder', 'waiters',
  'challengeAt', 'challenge' }
redis.call('HMGET', KEYS[1], unpack(fields))
redis.call('INFO', 'replication')
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'received', ARGV[1], 'sent', ARGV[1], 'ack', ARGV[1], 'poll', ARGV[1], 'bytes', 200)
redis.call('DEL', KEYS[2])
redis.call('RPUSH', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1`
})

/** @returns {Promise<number> | number} whether the answer was kept */
const keep = (sessionId, answer) =>
  redis === undefined ? 1 : redis.exchange(`{${sessionId}}`, `{${sessionId}}:frames`, sent, answer, lifeMs)

const app = Fastify()
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
app.post('/v1/bridge/sessions/:sessionId/exchange', ({ body, params }, reply) => {
  const end = body.indexOf('\n')
  const poll = decodePoll(verifyFrame(verifier, body.subarray(end + 1), depth, decodeUtf8Node))
  const message = decodeUpstream(verifyFrame(verifier, body.subarray(0, end), depth, decodeUtf8Node))
  const answer = signMessage(signer, { type: 'heartbeat', seq: ++sent, re: message.seq, serverTime: Date.now() })
  const send = () => {
    const polled = signMessage(signer, { type: 'polled', re: poll.poll, more: false, superseded: false })
    reply.type('application/x-ndjson').send(`${answer}\n${polled}\n`)
  }
  const kept = keep(params.sessionId, answer)
  if (kept === 1) send()
  else kept.then(send)
})
await app.listen({ port: 0, host: '127.0.0.1' })
process.send({ url: `http://127.0.0.1:${app.server.address().port}` })
