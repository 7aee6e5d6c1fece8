import type { TProperties, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { CertificateFiles } from './certificate.js'
import { ConfigError } from './config-error.js'
import { type OriginRule, originRuleOf } from './origins.js'
import { checkRules, isRedis, presencePatterns, splitList, trustedProxies } from './rules.js'
import { type Settings, settingsSchema } from './schema.js'
import { isServiceLink, serviceLinkWarning } from './service-links.js'
import { mergeSources, type SettingTexts, type Sources, settingPrefix } from './sources.js'
import { showSetting } from './store-url.js'

/** Turns the settings into the gateway's configuration. Reports every fault at once, and freezes the result. */

export { ConfigError } from './config-error.js'
export type { OriginRule } from './origins.js'

/** Connection to Redis. */
export interface RedisChoice {
  readonly kind: 'redis'
  /** One of the forms of COUNTERSIGN_STORE. */
  readonly url: string
  /** PEM file of the authorities that sign the certificates of Redis and Sentinel. Undefined: those of Node. */
  readonly caFile?: string
  readonly sentinelPassword?: string
}

export interface Config {
  readonly host: string
  readonly port: number
  readonly store: { readonly kind: 'embedded' } | RedisChoice
  readonly dataDir: string
  /** 32 bytes each, the encrypting key first. Undefined: generated in the data folder (embedded store only). */
  readonly masterKeys: readonly Uint8Array[] | undefined
  /** Undefined: generated in the data folder (embedded store only). */
  readonly adminToken: string | undefined
  readonly metricsToken: string | undefined
  readonly logLevel: string
  /** Processes that share the port. `auto`: see workerCount. */
  readonly workers: number | 'auto'
  readonly rateLimit: boolean
  /** Addresses and CIDRs. */
  readonly trustProxy: readonly string[]
  readonly allowedOrigins: OriginRule
  readonly allowInsecureHttp: boolean
  readonly tls: CertificateFiles | undefined
  readonly drainMs: number
  readonly heartbeatIntervalSeconds: number
  readonly heartbeatTimeoutSeconds: number
  readonly bridgeTimeoutSeconds: number
  readonly lingerMs: number
  readonly freshChallengeMs: number
  readonly frameBytes: number
  readonly maxSessions: number
  readonly maxSessionsPerClient: number
  readonly failedHandshakesPerMinute: number
  readonly handshakesPerMinute: number
  readonly framesPerSecond: number
  /** Bytes of request bodies that this process holds at once. */
  readonly pendingBodyBytes: number
  /** Quotas of one client. `historyBytes` 0: the store's default. */
  readonly clientQuotas: {
    readonly bytesPerSecond: number
    readonly historyBytes: number
    readonly channels: number
    readonly tokenMultiple: number
  }
  /** Patterns of the channels whose members are recorded. */
  readonly presence: readonly string[]
  /** Retention of audit entries in days; 0: unlimited. */
  readonly auditDays: number
  readonly history: { readonly size: number; readonly lifeMs: number }
}

const properties: TProperties = settingsSchema.properties

/** Reports names that start with COUNTERSIGN_ but are not settings: a typo must not silently mean the default. */
function checkNames(source: SettingTexts, problems: string[], warnings: string[]): void {
  for (const [name, value] of Object.entries(source)) {
    if (!name.startsWith(settingPrefix) || value === undefined) continue
    if (!(name in properties) && !isServiceLink(name, value)) problems.push(`${name}: no such setting`)
  }
  const warning = serviceLinkWarning(source)
  if (warning !== undefined) warnings.push(warning)
}

/**
 * Describes the expected and the actual value of a setting. Keys and tokens are not quoted, nor possible passwords in a
 * URL.
 */
function describeFault(name: string, text: string, schema: TSchema): string {
  const shown = /KEY|TOKEN|PASSWORD/.test(name) ? '' : ` It is ${JSON.stringify(showSetting(name, text).slice(0, 64))}.`
  const range =
    'minimum' in schema && 'maximum' in schema ? ` An integer from ${schema.minimum} to ${schema.maximum}.` : ''
  return `${name}: ${'description' in schema ? schema.description : ''}${range}${shown}`
}

/**
 * Checks each setting by itself. Reports a faulty one and replaces it by its default, so that the rest is checked too.
 */
function parseSettings(source: SettingTexts, problems: string[]): Settings {
  const parsed: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(properties)) {
    const text = isServiceLink(name, source[name]) ? undefined : source[name]
    if ('default' in schema) parsed[name] = schema.default
    // An empty text counts as unset. An empty list of origins counts as unset, too.
    if (text === undefined || text === '') continue
    const value = 'type' in schema && schema.type === 'integer' && /^-?\d{1,15}$/.test(text) ? Number(text) : text
    if (Value.Check(schema, value)) parsed[name] = value
    else problems.push(describeFault(name, text, schema))
  }
  return Value.Parse(settingsSchema, parsed)
}

function settingOf(problem: string): string {
  return problem.slice(0, problem.indexOf(':'))
}

function toRedisChoice(settings: Settings): RedisChoice {
  const { COUNTERSIGN_STORE: url, COUNTERSIGN_REDIS_CA: caFile } = settings
  const { COUNTERSIGN_SENTINEL_PASSWORD: sentinelPassword } = settings
  return {
    ...{ kind: 'redis', url },
    ...(caFile === undefined ? {} : { caFile }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword })
  }
}

function toConfig(settings: Settings): Config {
  const { COUNTERSIGN_MASTER_KEY: masterKeys, COUNTERSIGN_TLS_CERT: certFile, COUNTERSIGN_TLS_KEY: keyFile } = settings
  return {
    host: settings.COUNTERSIGN_HOST,
    port: settings.COUNTERSIGN_PORT,
    store: isRedis(settings) ? toRedisChoice(settings) : { kind: 'embedded' },
    dataDir: settings.COUNTERSIGN_DATA_DIR,
    masterKeys: masterKeys === undefined ? undefined : splitList(masterKeys).map(key => Buffer.from(key, 'base64')),
    adminToken: settings.COUNTERSIGN_ADMIN_TOKEN,
    metricsToken: settings.COUNTERSIGN_METRICS_TOKEN,
    logLevel: settings.COUNTERSIGN_LOG_LEVEL,
    workers: settings.COUNTERSIGN_WORKERS === 'auto' ? 'auto' : Number(settings.COUNTERSIGN_WORKERS),
    rateLimit: settings.COUNTERSIGN_RATE_LIMIT === 'on',
    trustProxy: trustedProxies(settings),
    allowedOrigins: originRuleOf(splitList(settings.COUNTERSIGN_ALLOWED_ORIGINS)),
    allowInsecureHttp: settings.COUNTERSIGN_INSECURE_HTTP === 'allow',
    tls: certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : undefined,
    drainMs: settings.COUNTERSIGN_DRAIN_SECONDS * 1000,
    heartbeatIntervalSeconds: settings.COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS,
    heartbeatTimeoutSeconds: settings.COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS,
    bridgeTimeoutSeconds: settings.COUNTERSIGN_BRIDGE_TIMEOUT_SECONDS,
    lingerMs: settings.COUNTERSIGN_LINGER_MS,
    freshChallengeMs: settings.COUNTERSIGN_FRESH_CHALLENGE_SECONDS * 1000,
    frameBytes: settings.COUNTERSIGN_FRAME_BYTES,
    maxSessions: settings.COUNTERSIGN_MAX_SESSIONS,
    maxSessionsPerClient: settings.COUNTERSIGN_MAX_SESSIONS_PER_CLIENT,
    failedHandshakesPerMinute: settings.COUNTERSIGN_FAILED_HANDSHAKES_PER_MINUTE,
    handshakesPerMinute: settings.COUNTERSIGN_HANDSHAKES_PER_MINUTE,
    framesPerSecond: settings.COUNTERSIGN_FRAMES_PER_SECOND,
    pendingBodyBytes: settings.COUNTERSIGN_PENDING_BODY_BYTES,
    clientQuotas: {
      bytesPerSecond: settings.COUNTERSIGN_CLIENT_BYTES_PER_SECOND,
      historyBytes: settings.COUNTERSIGN_CLIENT_HISTORY_BYTES,
      channels: settings.COUNTERSIGN_CLIENT_CHANNELS,
      tokenMultiple: settings.COUNTERSIGN_TOKEN_QUOTA_MULTIPLE
    },
    presence: presencePatterns(settings),
    auditDays: settings.COUNTERSIGN_AUDIT_DAYS,
    history: { size: settings.COUNTERSIGN_HISTORY_SIZE, lifeMs: settings.COUNTERSIGN_HISTORY_SECONDS * 1000 }
  }
}

/**
 * Checks the settings and converts them to a configuration.
 * @param source  texts by the name of the setting, merged by precedence (sources.ts); other names are ignored
 * @param faults  faults already found in the sources
 * @returns the frozen configuration, and warnings for the log
 * @throws ConfigError with every fault
 */
export function loadConfig(
  source: SettingTexts,
  faults: readonly string[] = []
): { config: Config; warnings: readonly string[] } {
  const problems: string[] = [...faults]
  const warnings: string[] = []
  checkNames(source, problems, warnings)
  const settings = parseSettings(source, problems)
  // A setting that does not fit the schema was replaced by its default: rules about it would only repeat the fault.
  const faulty = new Set(problems.map(settingOf).flatMap(name => [name, name.replace(/_FILE$/, '')]))
  problems.push(...checkRules(settings).filter(problem => !faulty.has(settingOf(problem))))
  if (problems.length > 0) throw new ConfigError(problems)
  return { config: Object.freeze(toConfig(settings)), warnings }
}

/** As {@link loadConfig}, with the faults of the sources themselves. @throws ConfigError with every fault */
export function loadSources(sources: Sources): ReturnType<typeof loadConfig> {
  const secretFaults = Object.values(sources.secretFiles).flatMap(({ fault }) => fault ?? [])
  return loadConfig(mergeSources(sources), [...sources.fileFaults, ...secretFaults])
}
