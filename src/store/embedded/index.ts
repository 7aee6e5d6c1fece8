import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { StoreDurations } from '../durations.js'
import { identityKey, type Store, type StorePin } from '../store.js'
import { createEmbeddedBridge } from './bridge.js'
import { createEmbeddedCalls } from './calls.js'
import { createEmbeddedChannels, type EmbeddedChannelsOptions } from './channels.js'
import { type EmbeddedDurable, type EmbeddedDurableOptions, openEmbeddedDurable } from './durable.js'
import {
  createEmbeddedChallenges,
  createEmbeddedLicenseSlots,
  createEmbeddedRateLimits,
  createEmbeddedSessions
} from './ephemeral.js'
import { lockDataDir } from './lock.js'
import { createEmbeddedPresence } from './presence.js'
import { RestartSaver } from './restart-saver.js'
import { createEmbeddedTickets } from './tickets.js'

/** The files of this process cannot become another store, so nothing has to be compared. */
function createEmbeddedPin(durable: EmbeddedDurable): StorePin {
  return {
    read: async () => (await durable.get(identityKey))?.text,
    require() {},
    refuse() {},
    onMismatch() {}
  }
}

function openDurable(dataDir: string, options: EmbeddedDurableOptions, unlock: () => void): EmbeddedDurable {
  try {
    return openEmbeddedDurable(join(dataDir, 'countersign.mdb'), options)
  } catch (error) {
    unlock()
    throw error
  }
}

function openSaver(dataDir: string, { onWrites }: EmbeddedDurableOptions, close: () => void): RestartSaver {
  try {
    return new RestartSaver(join(dataDir, 'countersign.channels.mdb'), onWrites ?? (() => {}))
  } catch (error) {
    close()
    throw error
  }
}

/** Times calls that wait for the disk. */
function timeDurable(durable: EmbeddedDurable, durations: StoreDurations): EmbeddedDurable {
  return {
    ...durable,
    get: key => durations.time('get', durable.get(key)),
    commit: change => durations.time('commit', durable.commit(change)),
    ping: () => durations.time('ping', durable.ping())
  }
}

/**
 * Opens the store of a single process: durable state in `dataDir`, ephemeral state in memory. Its channels and tickets
 * are written to disk with a delay, and survive a restart.
 * @param dataDir  created if it does not exist
 * @param now      unix milliseconds
 * @throws DataDirInUse, DataDirUnusable, StoreUnavailable
 */
export function openEmbeddedStore(
  dataDir: string,
  now: () => number,
  options: EmbeddedChannelsOptions & EmbeddedDurableOptions = {}
): Store {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const unlock = lockDataDir(join(dataDir, 'countersign.lock'))
  const durable = openDurable(dataDir, options, unlock)
  const saver = openSaver(dataDir, options, () => {
    void durable.close()
    unlock()
  })
  const channelStore = createEmbeddedChannels(now, options, saver.onChannelChange)
  const tickets = createEmbeddedTickets(now, undefined, saver)
  saver.restore(channelStore.table, channelStore.results, tickets)
  const calls = createEmbeddedCalls(now)
  const durations = new StoreDurations()
  let closed: Promise<void> | undefined
  return {
    kind: 'embedded',
    durable: timeDurable(durable, durations),
    durations,
    pin: createEmbeddedPin(durable),
    restore: durable.restore,
    challenges: createEmbeddedChallenges(now),
    sessions: createEmbeddedSessions(),
    licenseSlots: createEmbeddedLicenseSlots(),
    tickets,
    rateLimits: createEmbeddedRateLimits(now),
    channels: channelStore,
    presence: createEmbeddedPresence(),
    bridge: createEmbeddedBridge(now, sessionId => channelStore.endSession(sessionId)),
    calls,
    announcements: async () => [],
    bounds: () => [...channelStore.bounds(), ...tickets.bounds(), ...calls.bounds()],
    // Older data is dropped, or refused by share.
    isFull: false,
    ping: durable.ping,
    close() {
      closed ??= saver
        .close()
        .finally(() => durable.close())
        .finally(unlock)
      return closed
    }
  }
}
