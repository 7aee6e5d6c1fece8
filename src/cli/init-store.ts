import { loadSources } from '../config/load.js'
import { initializeStore } from '../registry/index.js'
import { openStore } from '../store/open.js'
import type { Store } from '../store/store.js'
import type { Invocation } from './command.js'
import { Failure } from './errors.js'
import { readMasterKeyFile } from './first-start.js'
import { note, printDone } from './output.js'
import { explain } from './start-failure.js'

/** `countersign init-store`: gives an empty store its identity, without a gateway. */

/** @returns the exit code @throws ConfigError, Failure */
export async function initStore(invocation: Invocation): Promise<number> {
  const { io, settings } = invocation
  const { config } = loadSources(settings())
  let store: Store | undefined
  try {
    store = await openStore(config, io.now)
    const masterKeys = config.masterKeys ?? readMasterKeyFile(config.dataDir, warning => void note(io, warning))
    const { identity, isNew } = await initializeStore(store.durable, masterKeys, io.now)
    const { id, schemaVersion } = identity
    const text = isNew ? `the store is ${id} now` : `the store has an identity already: ${id}. Nothing was changed`
    await printDone(invocation, { storeId: id, schemaVersion, created: isNew }, text)
    if (isNew) await note(io, 'Restart every gateway that used another store at this address: it accepts no other one.')
    return 0
  } catch (error) {
    const known = explain(error, config)
    throw known === undefined ? error : new Failure(known)
  } finally {
    await store?.close()
  }
}
