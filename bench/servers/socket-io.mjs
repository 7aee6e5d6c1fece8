import { createServer } from 'node:http'
import { createAdapter as createPubSubAdapter } from '@socket.io/redis-adapter'
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'

// Socket.IO as its documentation sets it up: an acknowledgement, and a room; alone, or over Redis (ADAPTER, REDIS_URL).

const { ADAPTER: adapter, REDIS_URL: redisUrl } = process.env

function makeAdapter() {
  if (adapter === undefined) return {}
  const redis = new Redis(redisUrl)
  if (adapter === 'streams') return { adapter: createStreamsAdapter(redis) }
  return { adapter: createPubSubAdapter(redis, redis.duplicate()) }
}

// A side may wait longer for its turn than the 5 s after which Node closes a silent connection.
const server = createServer({ keepAliveTimeout: 72_000 })
// No pings in the middle of a measurement; a client of 25 s is none of the things that are measured.
const io = new Server(server, { serveClient: false, pingInterval: 300_000, pingTimeout: 60_000, ...makeAdapter() })

io.on('connection', socket => {
  socket.on('heartbeat', (message, acknowledge) => acknowledge(message))
  socket.on('subscribe', (_message, acknowledge) => {
    socket.join('bench:fan')
    acknowledge({})
  })
  socket.on('serve', (name, acknowledge) => {
    socket.join(name)
    acknowledge({})
  })
  socket.on('call', async ({ to, data }, acknowledge) => {
    const [answer] = await io.to(to).timeout(10_000).emitWithAck('call', data)
    acknowledge(answer)
  })
  socket.on('publish', data => io.to('bench:fan').emit('publication', data))
})
server.listen(0, '127.0.0.1', () => process.send({ url: `http://127.0.0.1:${server.address().port}` }))
