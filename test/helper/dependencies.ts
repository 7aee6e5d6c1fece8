import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { CallRouter } from '../../src/calls/router.js'
import { createChannelBroker } from '../../src/channels/channel-broker.js'
import { createPresenceTracker } from '../../src/cluster/presence.js'
import { ChannelPresenceNotifier } from '../../src/cluster/presence-notifier.js'
import { createBoundedLog } from '../../src/log/bounded-log.js'
import { defaultLimits } from '../../src/protocol/limits.js'
import { openRegistry } from '../../src/registry/index.js'
import type { Log, SessionDependencies } from '../../src/session/dependencies.js'
import { OutboxBudget } from '../../src/session/outbox-budget.js'
import { SessionCapacity } from '../../src/session/session-capacity.js'
import { StoredSessionDirectory } from '../../src/session/session-directory.js'
import { createClock } from './clock.js'
import { stores } from './stores.js'

const log: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** The dependencies of a session, without a gateway around it. */
export async function createTestDependencies(t: Test): Promise<SessionDependencies> {
  const { now } = createClock()
  const { store } = await stores.embedded(t, now)
  const channels = createChannelBroker({
    ...{ store: store.channels, now, random: () => 0, log },
    observer: { delivered() {}, missed() {}, lost() {} }
  })
  const presence = createPresenceTracker({ store, patterns: [], lifeMs: 60_000, now })
  const registry = await openRegistry(store, [Buffer.alloc(32, 1)], now)
  const directory = new StoredSessionDirectory({
    ...{ store, instanceId: 'i', timeoutMs: { ws: 55_000, bridge: 90_000 }, now, steadyNow: now }
  })
  return {
    settings: {
      ...{ instanceId: 'i', heartbeatIntervalSeconds: 15, heartbeatTimeoutSeconds: 45, freshChallengeMs: 0 },
      ...{ framesPerSecond: 0, maxSessionsPerClient: 10, limits: defaultLimits }
    },
    store,
    registry,
    calls: new CallRouter({
      ...{ instanceId: 'i', store: store.calls, directory, now },
      ...{ isAlive: store.bridge.isAlive, mac: registry.hashCall, charge() {}, onFailure() {} }
    }),
    channels,
    sessionCapacity: new SessionCapacity(100),
    outboxes: new OutboxBudget(Number.MAX_SAFE_INTEGER),
    presence,
    presenceNotifier: new ChannelPresenceNotifier({ channels, presence, log, now }),
    directory,
    observer: { handshake() {}, opened() {}, ended() {}, received() {}, refused() {}, validated() {} },
    log,
    boundedLog: createBoundedLog(log, now, now),
    now,
    steadyNow: now,
    isGracePeriod: () => false,
    randomText: bytes => randomBytes(bytes).toString('base64url')
  }
}
