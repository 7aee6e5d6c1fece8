import type { HistoryBounds } from './channels.js'
import { openEmbeddedStore } from './embedded/index.js'
import { openRedisStore } from './redis/index.js'
import type { Store } from './store.js'

export interface StoreChoice {
  readonly store: { readonly kind: 'embedded' } | { readonly kind: 'redis'; readonly url: string }
  readonly dataDir: string
  readonly history: HistoryBounds
}

/**
 * Opens the store that the configuration names.
 * @param now      unix milliseconds
 * @param onError  called with each connection error; the store reconnects by itself
 * @throws DataDirInUse, StoreUnavailable
 */
export async function openStore(
  { store, dataDir, history }: StoreChoice,
  now: () => number,
  onError: (error: Error) => void
): Promise<Store> {
  if (store.kind === 'embedded') return openEmbeddedStore(dataDir, now, { history })
  return openRedisStore(store.url, { onError, history })
}
