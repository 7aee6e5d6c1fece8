import { randomBytes } from 'node:crypto'
import { createHandshakeLimiter, type HandshakeLimiter } from './auth/handshake-limiter.js'
import { BridgeSessions } from './bridge/sessions.js'
import type { BridgeSettings } from './bridge/settings.js'
import { HttpCallers } from './calls/http-callers.js'
import { CallRouter } from './calls/router.js'
import type { CapacityWatcher } from './channels/capacity-watcher.js'
import { createChannelBroker } from './channels/channel-broker.js'
import type { ClientQuotas } from './channels/client-quotas.js'
import { maxQuotaOwners } from './channels/quota-owners.js'
import { ClusterMember } from './cluster/cluster-member.js'
import { createDrain, type Drain } from './cluster/drain.js'
import { createPresenceTracker, type StoredPresenceTracker } from './cluster/presence.js'
import { ChannelPresenceNotifier } from './cluster/presence-notifier.js'
import { Timekeeper } from './cluster/timekeeper.js'
import type { Config } from './config/load.js'
import type { HttpEdge } from './http/edge.js'
import type { BoundedLog } from './log/bounded-log.js'
import { createMetrics, type Metrics } from './metrics.js'
import { openRegistry } from './registry/index.js'
import { reportBackgroundFailure } from './session/background-failure.js'
import { ConnectedSessions } from './session/connected-sessions.js'
import type { Log, SessionDependencies } from './session/dependencies.js'
import { OutboxBudget } from './session/outbox-budget.js'
import { presenceLifeMs } from './session/presence.js'
import { SessionCapacity } from './session/session-capacity.js'
import { StoredSessionDirectory } from './session/session-directory.js'
import { SessionRegistry } from './session/session-registry.js'
import { createCapacityWatcher, createQuotas } from './session-layer/quotas.js'
import { bridgeSettingsOf, handshakeRatesOf, sessionSettingsOf, sessionTimeoutsOf } from './session-layer/settings.js'
import type { SteadyClock } from './steady-clock.js'
import { shareOfHeap } from './store/memory-cost.js'
import { type Store, type StoreBound, StoreUnavailable } from './store/store.js'

/** Composes the layers below HTTP: the sessions of both transports and their shared parts. */

export interface SessionLayerOptions {
  readonly config: Config
  readonly store: Store
  /** 32 bytes each; the first one seals, all unseal. */
  readonly masterKeys: readonly Uint8Array[]
  /** Compared with the version of other instances. */
  readonly adminToken?: string
  /** Absent: nothing is logged. */
  readonly logger?: Log
  /** Number of unhandled rejections since the start. Absent: none are counted. */
  readonly unhandledRejections?: () => number
  /** Number of dropped log lines since the start. Absent: none are dropped. */
  readonly droppedLogLines?: () => number
  /** Unix milliseconds of the wall clock. Default: the system's. */
  readonly now?: () => number
  /** Decides which peers are silent. Default: the clock `now`, without corrections. */
  readonly steadyClock?: SteadyClock
  /** Milliseconds of a clock that never jumps; it shows pauses of this process. Default: none are noticed. */
  readonly monotonicNow?: () => number
  /** How long a bridge exchange waits for the answers to its own messages. Default: 5000 ms (PROTOCOL §9). */
  readonly bridgeAnswerWithinMs?: number
  /** Random bytes in base64url. Default: node:crypto. */
  readonly randomText?: (bytes: number) => string
}

/** With the parts that HTTP shares with the sessions. */
interface SharedOptions extends SessionLayerOptions {
  readonly edge: HttpEdge
  readonly boundedLog: BoundedLog
}

/** Share of the heap for unsent frames of all WebSocket sessions, and the most in bytes. */
const outboxShare = 1 / 8
const maxOutboxBytes = 512 * 1024 * 1024

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** @throws WrongMasterKey, StoreUnavailable */
async function createDependencies(
  options: SharedOptions,
  metrics: Metrics,
  presence: SessionDependencies['presence'],
  quotas: ClientQuotas,
  { steadyNow, isGracePeriod }: Timekeeper
): Promise<SessionDependencies> {
  const { config, store, masterKeys, adminToken = '', logger: log = silentLog, now = Date.now } = options
  const { randomText = bytes => randomBytes(bytes).toString('base64url') } = options
  const settings = sessionSettingsOf(config, `i_${randomText(9)}`)
  const channels = createChannelBroker({
    store: store.channels,
    bounds: { recover: settings.limits.recover },
    quotas,
    // Also stamps publications: a step of the wall clock must not age a history.
    now: steadyNow,
    random: Math.random,
    log,
    observer: metrics.channels
  })
  const registry = await openRegistry(store, masterKeys, now, log, { auditDays: config.auditDays, adminToken })
  const { boundedLog } = options
  const directory = new StoredSessionDirectory({
    ...{ store, instanceId: settings.instanceId, timeoutMs: sessionTimeoutsOf(config), now, steadyNow }
  })
  const calls = createCallRouter({ store, settings, registry, directory, quotas, boundedLog, log, now: steadyNow })
  return {
    settings,
    store,
    registry,
    calls,
    channels,
    sessionCapacity: new SessionCapacity(config.maxSessions),
    outboxes: new OutboxBudget(shareOfHeap(outboxShare, maxOutboxBytes)),
    presence,
    presenceNotifier: new ChannelPresenceNotifier({ channels, presence, log, now: steadyNow }),
    directory,
    observer: metrics.observer,
    log,
    boundedLog,
    now,
    steadyNow,
    isGracePeriod,
    randomText
  }
}

function createPresence({ config, store }: SessionLayerOptions, now: () => number): StoredPresenceTracker {
  const lifeMs = presenceLifeMs(config.heartbeatTimeoutSeconds)
  return createPresenceTracker({ store, patterns: config.presence, lifeMs, now })
}

type CallRouterParts = Pick<
  SessionDependencies,
  'store' | 'settings' | 'registry' | 'directory' | 'boundedLog' | 'log'
> & {
  readonly quotas: ClientQuotas
  readonly now: () => number
}

function createCallRouter(parts: CallRouterParts): CallRouter {
  const { store, settings, registry, directory, quotas, boundedLog, log, now } = parts
  return new CallRouter({
    instanceId: settings.instanceId,
    store: store.calls,
    directory,
    isAlive: store.bridge.isAlive,
    mac: registry.hashCall,
    charge: (owners, bytes) => quotas.chargeBytes(owners, bytes),
    onFailure: error => reportBackgroundFailure({ boundedLog }, 'calls', error, log, 'a call failed in the background'),
    now
  })
}

function createTimekeeper(options: SessionLayerOptions, onPause: () => void): Timekeeper {
  const { store, now = Date.now, steadyClock, monotonicNow, logger: log = silentLog } = options
  return new Timekeeper({
    ...{ store, now, log, onPause },
    ...(steadyClock === undefined ? {} : { clock: steadyClock }),
    ...(monotonicNow === undefined ? {} : { monotonicNow })
  })
}

/** Sessions of both transports and their shared parts, without HTTP. */
export interface SessionLayer {
  readonly metrics: Metrics
  readonly dependencies: SessionDependencies
  readonly quotas: ClientQuotas
  readonly capacity: CapacityWatcher
  readonly timekeeper: Timekeeper
  readonly connected: ConnectedSessions
  readonly member: ClusterMember
  readonly bridgeSessions: BridgeSessions
  readonly bridgeSettings: BridgeSettings
  readonly limiter: HandshakeLimiter
  /** Bounds the calls over HTTP. */
  readonly httpCallers: HttpCallers
  readonly drain: Drain
  /** Current use of each bound of this instance. */
  bounds(): readonly StoreBound[]
  /** Checks the store's identity. Call it about once a second. */
  tickRegistry(): Promise<void>
}

/** If the store does not answer, the next tick checks it again. */
async function tickRegistry({ registry, boundedLog }: SessionDependencies): Promise<void> {
  try {
    await registry.tick()
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    boundedLog.storeFailed('upkeep', error)
  }
}

/** @throws WrongMasterKey, UnusableStore, StoreUnavailable */
export async function createSessionLayer(options: SharedOptions): Promise<SessionLayer> {
  const { config, store, edge, droppedLogLines = () => 0, unhandledRejections = () => 0 } = options
  const { logger: log = silentLog } = options
  const metrics = createMetrics({
    liveSessions: () => connected.size,
    heldPolls: () => bridgeSessions.heldPolls,
    channels: store.channels.counts,
    store,
    unhandledRejections,
    http: { edge, droppedLogLines },
    bounds: () => bounds()
  })
  const timekeeper = createTimekeeper(options, () => member.registerAgain())
  await timekeeper.synchronize()
  const quotas = createQuotas({ ...options, log, now: timekeeper.steadyNow, onRefusal: metrics.quotaRefused })
  const capacity = createCapacityWatcher({ ...options, log, now: timekeeper.steadyNow }, quotas)
  await capacity.tick()
  const presence = createPresence(options, timekeeper.steadyNow)
  const dependencies = await createDependencies(options, metrics, presence, quotas, timekeeper)
  const connected = new ConnectedSessions(dependencies)
  const sessions = new SessionRegistry()
  sessions.addSource(connected)
  const member = new ClusterMember(dependencies, sessions, presence)
  // An unavailable store may have lost sessions.
  dependencies.registry.identity.onBack(() => member.registerAgain())
  await member.start()
  const bridgeSettings = bridgeSettingsOf(config, options.bridgeAnswerWithinMs)
  const bridgeSessions = new BridgeSessions(dependencies, bridgeSettings)
  sessions.addSource(bridgeSessions)
  dependencies.calls.connect(connected, bridgeSessions.calls)
  const httpCallers = new HttpCallers()
  // With the embedded store there are no other instances to move to.
  const drainMs = store.kind === 'embedded' ? 0 : config.drainMs
  const bounds = () => [
    ...store.bounds(),
    ...capacity.bounds(),
    { name: 'quota_owners', used: quotas.size, limit: maxQuotaOwners },
    dependencies.outboxes.bound,
    dependencies.sessionCapacity.bound,
    httpCallers.bound,
    dependencies.calls.bound,
    ...edge.bounds()
  ]
  return {
    ...{ metrics, dependencies, quotas, capacity },
    timekeeper,
    connected,
    member,
    bridgeSessions,
    bridgeSettings,
    httpCallers,
    tickRegistry: () => tickRegistry(dependencies),
    bounds,
    limiter: createHandshakeLimiter(store.rateLimits, handshakeRatesOf(config), timekeeper.steadyNow, dependencies.log),
    drain: createDrain({ sessions: connected, others: bridgeSessions.announcer, drainMs })
  }
}
