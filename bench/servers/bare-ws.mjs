import { createHmac, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { createNodeMac } from '../../dist/protocol/mac-node.js'

// A typical server with `ws` alone: an echo that parses and stringifies, a fan-out that signs each delivery, once the
// usual way (createHmac) and once with the gateway's own HMAC, and a Map of channels that keep their newest
// publications.

const server = createServer()
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
const subscribers = new Set()
const channels = new Map()
const historySize = Number(process.env.HISTORY_SIZE ?? 4)
let offset = 0

const usually = (key, body) => createHmac('sha256', key).update(body).digest('hex')

function publish(data, sign) {
  offset++
  for (const each of subscribers) {
    const message = { type: 'publication', seq: ++each.seq, channel: 'bench:fan', offset, epoch: 'a1b2c3d4e5f6' }
    const body = JSON.stringify({ ...message, data, publishedAt: Date.now() })
    each.socket.send(`${body.slice(0, -1)},"signature":"${sign(each, body)}"}`)
  }
}

/** The least that a signed delivery can be: its part that differs, one HMAC, and one write past `ws`. */
function publishSketch(data) {
  const members = `"channel":"bench:fan","offset":${++offset},"data":${JSON.stringify(data)},"publishedAt":${Date.now()}}`
  for (const each of subscribers) {
    const text = `{"type":"publication","seq":${++each.seq},${members}`
    const frame = `${text.slice(0, -1)},"signature":"${each.mac.ofText(text)}"}`
    each.tcp.write(String.fromCharCode(0x81, 126, frame.length >> 8, frame.length & 0xff) + frame, 'latin1')
  }
}

function append({ channel, data }) {
  const history = channels.get(channel) ?? []
  channels.set(channel, history)
  history.push({ offset: ++offset, data: JSON.stringify(data), publishedAt: Date.now() })
  if (history.length > historySize) history.shift()
}

sockets.on('connection', (socket, { socket: tcp }) => {
  const key = randomBytes(32)
  const own = { socket, tcp, seq: 0, key, mac: createNodeMac(key) }
  socket.on('message', frame => {
    const message = JSON.parse(frame.toString())
    switch (message.type) {
      case 'subscribe':
        subscribers.add(own)
        socket.send('{}')
        break
      case 'publish':
        publish(message.data, ({ key }, body) => usually(key, body))
        break
      case 'publishWithOurMac':
        publish(message.data, ({ mac }, body) => mac.ofText(body))
        break
      case 'publishSketch':
        publishSketch(message.data)
        break
      case 'append':
        append(message)
        socket.send(`{"offset":${offset}}`)
        break
      default:
        socket.send(JSON.stringify(message))
    }
  })
  socket.on('close', () => subscribers.delete(own))
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1', () => process.send({ url: `http://127.0.0.1:${server.address().port}` }))
