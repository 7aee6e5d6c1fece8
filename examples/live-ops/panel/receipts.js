/**
 * Finds the signed frame that answered each command. The SDK has verified its signature with a key that only the gateway and
 * this page hold; a frame whose signature is wrong never gets here.
 */

const maxFrameBytes = 4096
const maxOpen = 1024

/** @param client  of the JavaScript SDK, before `connect()` */
export class Receipts {
  /** Idempotency keys by the `seq` of their frame in the current session. */
  #keys = new Map()
  /** Frames by idempotency key. */
  #frames = new Map()

  constructor(client) {
    client.on('welcome', () => this.#keys.clear())
    client.on('frame', ({ direction, text, signed }) => {
      if (!signed || text.length > maxFrameBytes) return
      const { type, seq, re, idempotencyKey, sessionId } = JSON.parse(text)
      if (direction === 'up') {
        if (idempotencyKey !== undefined) keep(this.#keys, seq, idempotencyKey)
        return
      }
      const key = ['called', 'published', 'error'].includes(type) ? this.#keys.get(re) : undefined
      if (key !== undefined) keep(this.#frames, key, { frame: text, answeredBy: sessionId })
    })
  }

  /** @returns the frame that answered, and the session that ran the call; once */
  remove(key) {
    const receipt = this.#frames.get(key)
    this.#frames.delete(key)
    return receipt ?? {}
  }
}

function keep(map, key, value) {
  map.set(key, value)
  if (map.size > maxOpen) map.delete(map.keys().next().value)
}
