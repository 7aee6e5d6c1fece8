import Fastify from 'fastify'
import { signMessage, verifyFrame } from '../../dist/protocol/frame.js'
import { createNodeMac } from '../../dist/protocol/mac-node.js'
import { decodePoll, decodeUpstream } from '../../dist/protocol/messages.js'
import { decodeUtf8Node } from '../../dist/protocol/utf8-node.js'

// What no exchange can do without: a POST, two frames verified and decoded, two signed. It keeps nothing.
const verifier = createNodeMac(Buffer.alloc(32, 1))
const signer = createNodeMac(Buffer.alloc(32, 2))
const depth = 16
let sent = 1

const app = Fastify()
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
app.post('/v1/bridge/sessions/:sessionId/exchange', ({ body }, reply) => {
  const end = body.indexOf('\n')
  const poll = decodePoll(verifyFrame(verifier, body.subarray(end + 1), depth, decodeUtf8Node))
  const message = decodeUpstream(verifyFrame(verifier, body.subarray(0, end), depth, decodeUtf8Node))
  const answer = signMessage(signer, { type: 'heartbeat', seq: ++sent, re: message.seq, serverTime: Date.now() })
  const polled = signMessage(signer, { type: 'polled', re: poll.poll, more: false, superseded: false })
  reply.type('application/x-ndjson').send(`${answer}\n${polled}\n`)
})
await app.listen({ port: 0, host: '127.0.0.1' })
process.send({ url: `http://127.0.0.1:${app.server.address().port}` })
