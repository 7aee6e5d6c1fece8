import type { Duplex } from 'node:stream'
import { Cluster, type Redis } from './ioredis.js'
import { writeAtTurnEnd } from './turn-end.js'

type SendCommand = Redis['sendCommand']

/** Commands and bytes after which a write does not wait for more, which would delay the first ones of a long turn. */
const commandsPerWrite = 64
const bytesPerWrite = 65_536

/** Collects data written to a socket in one turn of the event loop. */
class TurnWriter {
  #socket: Duplex | undefined
  #commands = 0

  /** Call it before each command. */
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
 * Sends the commands of one turn of the event loop in one write. Node writes each chunk separately while the socket
 * accepts it, and Redis then reads, answers and wakes for each.
 */
function collectPerTurn(redis: Redis): void {
  const writer = new TurnWriter()
  const send: SendCommand = redis.sendCommand.bind(redis)
  redis.sendCommand = (command, stream) => {
    // The first commands of a connection are sent at once: a server at its connection limit answers and closes.
    if (redis.status === 'ready' && redis.stream) writer.collect(redis.stream)
    return send(command, stream)
  }
}

/** Pipelines independent commands of a connection, or of each node of a Cluster. */
export function writeOncePerTurn<Client extends Redis | Cluster>(client: Client): Client {
  if (client instanceof Cluster) client.on('+node', collectPerTurn)
  else collectPerTurn(client)
  return client
}
