import type { HistoryBounds } from './channels.js'
import { openEmbeddedStore } from './embedded/index.js'
import { openRedisStore } from './redis/index.js'
import type { Store } from './store.js'

export interface StoreChoice {
  readonly store: { readonly kind: 'embedded' } | { readonly kind: 'redis'; readonly url: string }
  readonly dataDir: string
  readonly history: HistoryBounds
}

/** What happens to the store while it is used, for the log. */
export interface StoreEvents {
  /** A connection failed; the store reconnects by itself. */
  connectionFailed?(error: Error): void
  /** Writes to the disk begin to fail. The message states why. */
  writesFail?(error: Error): void
  /** Writes to the disk work again. */
  writesWork?(): void
}

/**
 * Opens the store that the configuration names.
 * @param now  unix milliseconds of a clock that decides what has ended
 * @throws DataDirInUse, DataDirUnusable, StoreUnavailable
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
  return openRedisStore(store.url, { onError: error => events.connectionFailed?.(error), history })
}
