import type { Duplex } from 'node:stream'
import { Cluster, type Redis } from './ioredis.js'
import { writeAtTurnEnd } from './turn-end.js'

type SendCommand = Redis['sendCommand']

/** Commands and bytes after which a write does not wait for more: that would delay the first ones of a long turn. */
const commandsPerWrite = 64
const bytesPerWrite = 65_536

/** Collects what is written to a socket in one turn of the event loop. */
class TurnWriter {
  #socket: Duplex | undefined
  #commands = 0

  /** To be called before each command. */
  collect(socket: Duplex): void {
    const isFull = this.#commands >= commandsPerWrite || socket.writableLength >= bytesPerWrite
    if (this.#socket !== socket || isFull) this.#flush()
    if (this.#socket === undefined) {
      this.#socket = socket
      socket.cork()
      writeAtTurnEnd(() => this.#flush())
    }
    this.#commands++
  }

  #flush(): void {
    this.#socket?.uncork()
    this.#socket = undefined
    this.#commands = 0
  }
}

/**
 * Sends the commands of one turn of the event loop in one write. Node writes each chunk by itself as long as the socket
 * takes it, and Redis then reads, answers and wakes for each.
 */
function collectPerTurn(redis: Redis): void {
  const writer = new TurnWriter()
  const send: SendCommand = redis.sendCommand.bind(redis)
  redis.sendCommand = (command, stream) => {
    // The first commands of a connection go out at once: a server without a place for it answers and closes.
    if (redis.status === 'ready' && redis.stream) writer.collect(redis.stream)
    return send(command, stream)
  }
}

/** Pipelines independent commands of a connection; on a Cluster those of each node. */
export function writeOncePerTurn<Client extends Redis | Cluster>(client: Client): Client {
  if (client instanceof Cluster) client.on('+node', collectPerTurn)
  else collectPerTurn(client)
  return client
}
