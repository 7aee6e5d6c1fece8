import { openEmbeddedStore } from './embedded/index.js'
import { openRedisStore } from './redis/index.js'
import type { Store } from './store.js'

export interface StoreChoice {
  readonly store: { readonly kind: 'embedded' } | { readonly kind: 'redis'; readonly url: string }
  readonly dataDir: string
}

/**
 * Opens the store that the configuration names.
 * @param onError  told of connection errors, which mend themselves
 * @throws DataDirInUse, StoreUnavailable
 */
export async function openStore(
  { store, dataDir }: StoreChoice,
  now: () => number,
  onError: (error: Error) => void
): Promise<Store> {
  return store.kind === 'embedded' ? openEmbeddedStore(dataDir, now) : openRedisStore(store.url, { onError })
}
