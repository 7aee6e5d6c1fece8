import type { Redis } from 'ioredis'
import { StoreUnavailable } from '../../store.js'
import { retryDelay } from '../client.js'

/**
 * A connection of its own for subscriptions: one that falls under Redis' output limits must not take commands along. It
 * is kept up for as long as it is not closed, subscribed to what is wanted: that is subscribed and unsubscribed in
 * batches, one at a time, so that many of one moment, or all after a reconnection, are neither one huge command nor a storm.
 */
export interface Subscriber {
  /** Resolves once all of them are subscribed. @throws StoreUnavailable when they are not in time; they stay wanted */
  want(names: readonly string[]): Promise<void>
  unwant(names: readonly string[]): void
  /** Whether all that is wanted is subscribed, those apart that were just asked for. */
  readonly isUp: boolean
  /** Breaks the connection and makes another. */
  restart(): void
  close(): void
}

/** Names that one command subscribes. */
export const subscribeBatch = 500
/** Longest wait for a subscription, in milliseconds. */
const wantTimeoutMs = 2000

export interface SubscriberOptions {
  /** Opens a connection that does not reconnect by itself. */
  readonly open: (attempt: number) => Redis
  readonly onMessage: (name: string, message: string) => void
  /** The connection is up and subscribed to all that is wanted; or it broke. */
  readonly onUp: (up: boolean) => void
  readonly onError: (error: Error) => void
}

interface Waiter {
  left: number
  readonly resolve: () => void
}

export function createSubscriber({ open, onMessage, onUp, onError }: SubscriberOptions): Subscriber {
  const wanted = new Set<string>()
  // On the connection that stands: asked for, and answered.
  const asked = new Set<string>()
  const subscribed = new Set<string>()
  // Wanted and not asked for, or the other way round.
  const toDo = new Set<string>()
  const waiters = new Map<string, Set<Waiter>>()

  let connection: Redis | undefined
  // Instances do not all begin at the same node of a Cluster.
  let attempts = Math.floor(Math.random() * 1000)
  let failures = 0
  let ready = false
  let up = false
  let working = false
  let closed = false
  let timer: NodeJS.Timeout | undefined

  function connect(): void {
    const redis = open(attempts++)
    connection = redis
    redis.on('error', onError)
    redis.on('message', onMessage)
    redis.once('ready', () => {
      ready = true
      for (const name of wanted) toDo.add(name)
      schedule()
    })
    redis.once('end', () => {
      const wasUp = up
      ready = false
      up = false
      asked.clear()
      subscribed.clear()
      toDo.clear()
      if (closed) return
      if (wasUp) onUp(false)
      timer = setTimeout(connect, retryDelay(Math.min(++failures, 10)))
    })
  }

  function confirm(name: string): void {
    subscribed.add(name)
    for (const waiter of waiters.get(name) ?? []) if (--waiter.left === 0) waiter.resolve()
    waiters.delete(name)
  }

  /** Subscribes and unsubscribes what is next. */
  async function work(redis: Redis): Promise<void> {
    const joining: string[] = []
    const leaving: string[] = []
    for (const name of toDo) {
      if (joining.length + leaving.length >= subscribeBatch) break
      toDo.delete(name)
      if (wanted.has(name) && asked.has(name)) confirm(name)
      else if (wanted.has(name)) {
        joining.push(name)
        asked.add(name)
      } else if (asked.has(name)) {
        leaving.push(name)
        asked.delete(name)
        subscribed.delete(name)
      }
    }
    await Promise.all([
      joining.length > 0 ? redis.subscribe(...joining) : undefined,
      leaving.length > 0 ? redis.unsubscribe(...leaving) : undefined
    ])
    if (redis !== connection || !ready) return
    for (const name of joining) confirm(name)
  }

  async function workOff(): Promise<void> {
    const redis = connection
    if (redis === undefined || !ready || working) return
    working = true
    try {
      while (toDo.size > 0 && ready && redis === connection) await work(redis)
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)))
      // What it is subscribed to is unknown now.
      if (redis === connection) ready = false
      redis.disconnect()
    }
    working = false
    // It may be another connection by now.
    if (toDo.size > 0 || redis !== connection) schedule()
    else if (ready && !up) {
      up = true
      failures = 0
      onUp(true)
    }
  }

  function schedule(): void {
    if (ready) setImmediate(workOff)
  }

  function wait(names: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        left: names.length,
        resolve() {
          clearTimeout(limit)
          resolve()
        }
      }
      const limit = setTimeout(() => {
        for (const name of names) {
          const others = waiters.get(name)
          others?.delete(waiter)
          if (others?.size === 0) waiters.delete(name)
        }
        reject(new StoreUnavailable(new Error(`not subscribed within ${wantTimeoutMs} ms`)))
      }, wantTimeoutMs)
      for (const name of names) waiters.set(name, (waiters.get(name) ?? new Set()).add(waiter))
    })
  }

  connect()
  return {
    async want(names) {
      const missing = new Set<string>()
      for (const name of names) {
        wanted.add(name)
        if (subscribed.has(name)) continue
        missing.add(name)
        if (ready) toDo.add(name)
      }
      if (missing.size === 0) return
      schedule()
      await wait([...missing])
    },
    unwant(names) {
      for (const name of names) {
        if (wanted.delete(name) && ready) toDo.add(name)
        // Were it wanted again at once, it would have to be subscribed first.
        subscribed.delete(name)
      }
      schedule()
    },
    get isUp() {
      return up
    },
    restart: () => connection?.disconnect(),
    close() {
      closed = true
      clearTimeout(timer)
      connection?.disconnect()
    }
  }
}
