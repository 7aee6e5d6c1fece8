import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { openRegistry, type Registry } from '../../src/registry/index.js'
import type { Validation } from '../../src/registry/licenses.js'
import { createClock, type FakeClock } from '../helper/clock.js'
import { type StoreUnderTest, stores } from '../helper/stores.js'

/** A registry over each store, with a fake clock. */

export const masterKey = randomBytes(32)

export interface RegistryUnderTest extends StoreUnderTest {
  readonly registry: Registry
}

export interface RegistrySuite {
  readonly clock: FakeClock
  openStore(t: Test): Promise<StoreUnderTest>
  /** A registry over a new store. */
  open(t: Test): Promise<RegistryUnderTest>
}

/** Runs a suite once per store. */
export function onEachStore(run: (t: Test, suite: RegistrySuite) => void): void {
  for (const [kind, openFor] of Object.entries(stores)) {
    t.test(kind, async t => {
      const clock = createClock()
      const openStore = (t: Test) => openFor(t, clock.now)
      const open = async (t: Test) => {
        const opened = await openStore(t)
        return { ...opened, registry: await openRegistry(opened.store, [masterKey], clock.now) }
      }
      run(t, { clock, openStore, open })
    })
  }
}

/** Validates as `client:c`, with a free session slot. */
export async function validate(
  { licenses }: Registry,
  hwid: string | undefined,
  key = 'key',
  serviceId = 'svc'
): Promise<Validation['code']> {
  return (await licenses.validate({ serviceId, key, hwid, actor: 'client:c', acquireSlot: async () => true })).code
}
