import { readFileSync } from 'node:fs'
import type { HistoryBounds } from './channels.js'
import { openEmbeddedStore } from './embedded/index.js'
import { StoreMisconfigured } from './errors.js'
import type { RedisConnection } from './redis/connection-url.js'
import { openRedisStore } from './redis/index.js'
import type { RedisChoice, Store } from './store.js'

export { readIdentityText } from './embedded/read-identity.js'
export { inspectRedis, type RedisServerState } from './redis/inspect.js'

export interface StoreChoice {
  readonly store: { readonly kind: 'embedded' } | RedisChoice
  readonly dataDir: string
  readonly history: HistoryBounds
}

/** Events of the store in use, for the log. */
export interface StoreEvents {
  /** A connection failed; the store reconnects by itself. */
  connectionFailed?(error: Error): void
  /** Redis is reachable and refuses connections; the texts state why and what to do. At most once a minute. */
  connectionRefused?(cause: string, todo: string): void
  /** No gateway wrote the value of a key. Called once for each key. */
  valueUnreadable?(key: string): void
  /** Redis lacks sharded publications, or this user may not use them. Called once, at the start. */
  publishesPlain?(reason: string): void
  /** Writes to the disk start failing. The message states why. */
  writesFail?(error: Error): void
  /** Writes to the disk work again. */
  writesWork?(): void
}

function readCa(path: string): string {
  const fault = (why: string) => new StoreMisconfigured(`COUNTERSIGN_REDIS_CA: ${path} ${why}`)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw fault(`cannot be read (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'})`)
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw fault('holds no certificate: it must be a PEM file')
  return text
}

/** @throws StoreMisconfigured if the file of the authorities cannot be used */
export function redisConnectionOf({ url, caFile, sentinelPassword }: RedisChoice): RedisConnection {
  return {
    url,
    ...(caFile === undefined ? {} : { caPem: readCa(caFile) }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword })
  }
}

/**
 * Opens the store that the configuration names.
 * @param now  unix milliseconds of the clock for expiries
 * @throws DataDirInUse, DataDirUnusable, StoreMisconfigured, StoreUnavailable
 */
export async function openStore(
  { store, dataDir, history }: StoreChoice,
  now: () => number,
  events: StoreEvents = {}
): Promise<Store> {
  if (store.kind === 'embedded') {
    const onWrites = (failure?: Error) => (failure === undefined ? events.writesWork?.() : events.writesFail?.(failure))
    return openEmbeddedStore(dataDir, now, { history, onWrites })
  }
  const { url, ...connection } = redisConnectionOf(store)
  return openRedisStore(url, {
    ...connection,
    history,
    onError: error => events.connectionFailed?.(error),
    onUnreadable: key => events.valueUnreadable?.(key),
    onPlain: reason => events.publishesPlain?.(reason),
    onRefused: ({ cause, todo }) => events.connectionRefused?.(cause, todo)
  })
}
