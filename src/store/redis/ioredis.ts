import type { Duplex } from 'node:stream'
import { Cluster, Redis } from 'ioredis'

/**
 * ioredis without three of its effects on the whole process. The prototype is patched, because a Cluster and a
 * connection to sentinels open further connections by themselves.
 */

export { Cluster, Redis }

const currentStream = Symbol('currentStream')

declare module 'ioredis' {
  interface Redis {
    [currentStream]?: Duplex
  }
}

/**
 * ioredis listens to the first error of a socket only. A TLS socket may report several, and the next one would end the
 * process. Node 20 also leaves the socket open after the first, though nothing more can be read from it.
 */
Object.defineProperty(Redis.prototype, 'stream', {
  configurable: true,
  get(this: Redis) {
    return this[currentStream]
  },
  set(this: Redis, stream: Duplex | undefined) {
    if (stream !== undefined) this[currentStream] = stream
    else delete this[currentStream]
    stream?.on('error', () => stream.destroy())
  }
})

/** Without a listener ioredis prints errors. Connections that it opens by itself handle their own. */
const { silentEmit } = Redis.prototype as unknown as {
  silentEmit(this: Redis, event: string, error?: unknown): boolean
}

Object.defineProperty(Redis.prototype, 'silentEmit', {
  configurable: true,
  writable: true,
  value(this: Redis, event: string, error?: unknown): boolean {
    if (event === 'error' && this.listenerCount('error') === 0) return false
    return Reflect.apply(silentEmit, this, [event, error])
  }
})

type Reply = (error: Error | null, reply?: unknown) => void

/** ioredis runs INFO with a callback before it is ready. If its user may not, it prints a line. */
const { info } = Redis.prototype

function answeredToReadyCheck(callback: Reply): Reply {
  return (error, reply) => (error?.message.includes('NOPERM') ? callback(null, '') : callback(error, reply))
}

Object.defineProperty(Redis.prototype, 'info', {
  configurable: true,
  writable: true,
  value(this: Redis, ...args: unknown[]): unknown {
    return Reflect.apply(
      info,
      this,
      args.map(each => (typeof each === 'function' ? answeredToReadyCheck(each as Reply) : each))
    )
  }
})
