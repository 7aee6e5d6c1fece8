import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { signMessage, verifyFrame } from '../../dist/protocol/frame.js'
import { createNodeMac } from '../../dist/protocol/mac-node.js'
import { decodeUpstream } from '../../dist/protocol/messages.js'
import { decodeUtf8Node } from '../../dist/protocol/utf8-node.js'

// The minimum of a session: a frame verified and decoded, a reply encoded and signed, with `ws` alone. Of a publish it
// keeps the data as text in a history without a rule, of anything else nothing.
const verifier = createNodeMac(Buffer.alloc(32, 1))
const signer = createNodeMac(Buffer.alloc(32, 2))
const depth = 16
const historySize = 1024
const history = []
let offset = 0

function publish({ channel, data }) {
  history.push({ offset: ++offset, data: JSON.stringify(data), publishedAt: Date.now() })
  if (history.length > historySize) history.shift()
  return { channel, offset, epoch: 'epochepochepoch1' }
}

const server = createServer()
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
sockets.on('connection', socket => {
  let sent = 1
  socket.on('message', frame => {
    const { message } = decodeUpstream(verifyFrame(verifier, frame, depth, decodeUtf8Node))
    const reply =
      message.type === 'publish'
        ? { type: 'published', seq: ++sent, re: message.seq, ...publish(message) }
        : { type: message.type, seq: ++sent, re: message.seq, serverTime: Date.now() }
    socket.send(signMessage(signer, reply))
  })
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1', () => process.send({ url: `http://127.0.0.1:${server.address().port}` }))
