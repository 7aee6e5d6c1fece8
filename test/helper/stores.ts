import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { HistoryBounds } from '../../src/store/channels.js'
import { openEmbeddedStore } from '../../src/store/embedded/index.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import type { Store } from '../../src/store/store.js'
import { runStateFile } from './run-state.js'

/** Both stores, for suites that run on each. */

export interface StoreUnderTest {
  readonly store: Store
  /** Another instance's view of the same store; the embedded store has only one. */
  another(): Promise<Store>
}

export interface TestStoreOptions {
  readonly history?: HistoryBounds
  /** Most bytes of one channel's history. */
  readonly channelBytes?: number
  /** Most channels; embedded only. */
  readonly channels?: number
  /** Most results of idempotency keys; embedded only. */
  readonly idempotencyResults?: number
}

export type OpenStoreForTest = (t: Test, now: () => number, options?: TestStoreOptions) => Promise<StoreUnderTest>

export function redisUrl(): string {
  const { url }: { url: string } = JSON.parse(readFileSync(runStateFile, 'utf8'))
  return url
}

export const stores: Readonly<Record<'embedded' | 'redis', OpenStoreForTest>> = {
  async embedded(t, now, options) {
    const dir = mkdtempSync(join(tmpdir(), 'countersign-store-'))
    const store = openEmbeddedStore(dir, now, options)
    t.teardown(async () => {
      await store.close()
      rmSync(dir, { recursive: true, force: true })
    })
    return { store, another: async () => store }
  },

  async redis(t, _now, options = {}) {
    // A random prefix separates this test's keys from those of others; Redis ends with the run.
    const prefix = `test-${randomBytes(6).toString('hex')}`
    const open = async () => {
      const store = await openRedisStore(redisUrl(), {
        prefix,
        ...(options.history === undefined ? {} : { history: options.history }),
        ...(options.channelBytes === undefined ? {} : { channelBytes: options.channelBytes })
      })
      t.teardown(() => store.close())
      return store
    }
    return { store: await open(), another: open }
  }
}
