import { isIP } from 'node:net'
import type { Static, TProperties } from 'typebox'
import { Value } from 'typebox/value'
import { environmentSchema } from './schema.js'

/**
 * The gateway's configuration: one schema of the environment (operating-contract in docs/operating.md). Every fault is
 * reported at once, and the result is frozen. Precedence: flag, environment, `.env`, default.
 */

export { environmentSchema }

export type Environment = Static<typeof environmentSchema>

/** How browsers' origins are judged. */
export type OriginRule =
  | { readonly kind: 'own' }
  | { readonly kind: 'any' }
  | { readonly kind: 'list'; origins: string[] }

export interface Config {
  readonly host: string
  readonly port: number
  readonly store: { readonly kind: 'embedded' } | { readonly kind: 'redis'; readonly url: string }
  readonly dataDir: string
  /** Decoded master keys, the encrypting one first; absent: made in the data folder (embedded store only). */
  readonly masterKeys: readonly Uint8Array[] | undefined
  readonly adminToken: string | undefined
  readonly logLevel: string
  readonly rateLimit: boolean
  readonly trustProxy: readonly string[]
  readonly allowedOrigins: OriginRule
  readonly allowInsecureHttp: boolean
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
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
  /** Patterns of channels of which it is kept who is there; none: of no channel. */
  readonly presence: readonly string[]
  readonly history: { readonly size: number; readonly lifeMs: number }
}

/** The start is refused; `problems` says everything that is wrong, one sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(
      `the configuration has ${problems.length === 1 ? 'a fault' : `${problems.length} faults`}:\n  ${problems.join('\n  ')}`
    )
    this.problems = problems
  }
}

const prefix = 'COUNTERSIGN_'
/** Keys on the ring: the one in use and those that still decrypt. */
const maxMasterKeys = 8
/** Base64 of exactly 32 bytes, canonical: Node would silently drop what does not decode. */
export const masterKeyPattern = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/
/** Patterns of COUNTERSIGN_PRESENCE: each is held against each channel that is joined. */
const maxPresencePatterns = 64
const channelPattern = /^(?=.)[A-Za-z0-9_.:-]{0,128}\*?$/
// What Kubernetes injects into every pod beside a Service named `countersign`.
const kubernetesNames = /^COUNTERSIGN_(SERVICE_(HOST|PORT)(_.*)?|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)$/

function splitList(text: string): string[] {
  return text
    .split(',')
    .map(each => each.trim())
    .filter(each => each !== '')
}

function isAddressOrCidr(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text
}

/** The environment's values as the schema types them; a value that does not fit is reported and left out. */
function readEnvironment(source: Readonly<Record<string, string | undefined>>, problems: string[]): Environment {
  const properties: TProperties = environmentSchema.properties
  const read: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(properties)) {
    const text = source[name]
    if (text === undefined || (text === '' && name !== 'COUNTERSIGN_ALLOWED_ORIGINS')) {
      if ('default' in schema) read[name] = schema.default
      continue
    }
    const value = 'type' in schema && schema.type === 'integer' && /^-?\d{1,15}$/.test(text) ? Number(text) : text
    if (Value.Check(schema, value)) read[name] = value
    else {
      // The value of a secret is never repeated.
      const shown = /KEY|TOKEN/.test(name)
        ? ''
        : ` It is ${JSON.stringify(text.replace(/\/\/.*@/, '//…@').slice(0, 64))}.`
      const range =
        'minimum' in schema ? ` An integer from ${schema.minimum} to ${'maximum' in schema ? schema.maximum : ''}.` : ''
      problems.push(`${name}: ${'description' in schema ? schema.description : ''}${range}${shown}`)
      if ('default' in schema) read[name] = schema.default
    }
  }
  return Value.Parse(environmentSchema, read)
}

/** Names that begin with COUNTERSIGN_ and are none of ours, so that a typo does not pass for a default. */
function findStrangers(
  source: Readonly<Record<string, string | undefined>>,
  problems: string[],
  warnings: string[]
): void {
  for (const [name, value] of Object.entries(source)) {
    if (!name.startsWith(prefix) || value === undefined) continue
    const injected = kubernetesNames.test(name) || (name === 'COUNTERSIGN_PORT' && value.startsWith('tcp://'))
    if (injected) {
      warnings.push(`${name} is ignored: Kubernetes injects it for a Service; set enableServiceLinks: false on the pod`)
    } else if (!(name in environmentSchema.properties)) problems.push(`${name}: no such setting`)
  }
}

function readMasterKeys(text: string | undefined, problems: string[]): readonly Uint8Array[] | undefined {
  if (text === undefined) return undefined
  const keys = splitList(text)
  if (keys.length === 0 || keys.length > maxMasterKeys || !keys.every(each => masterKeyPattern.test(each))) {
    problems.push(
      `COUNTERSIGN_MASTER_KEY: 1 to ${maxMasterKeys} keys, each the base64 of 32 bytes (\`openssl rand -base64 32\`)`
    )
    return undefined
  }
  return keys.map(each => Buffer.from(each, 'base64'))
}

/**
 * Reads and checks the configuration.
 * @param source  names and values, already merged by precedence
 * @returns the frozen configuration, and warnings to log
 * @throws ConfigError with everything that is wrong
 */
export function loadConfig(source: Readonly<Record<string, string | undefined>>): {
  config: Config
  warnings: readonly string[]
} {
  const problems: string[] = []
  const warnings: string[] = []
  findStrangers(source, problems, warnings)
  const port = source['COUNTERSIGN_PORT']
  const env = readEnvironment(
    port?.startsWith('tcp://') ? { ...source, COUNTERSIGN_PORT: undefined } : source,
    problems
  )
  const masterKeys = readMasterKeys(env.COUNTERSIGN_MASTER_KEY, problems)

  const redis = env.COUNTERSIGN_STORE !== 'embedded'
  if (redis && env.COUNTERSIGN_MASTER_KEY === undefined) {
    problems.push('COUNTERSIGN_MASTER_KEY: required with Redis (`openssl rand -base64 32`)')
  }
  if (redis && !source['COUNTERSIGN_ADMIN_TOKEN']) {
    problems.push('COUNTERSIGN_ADMIN_TOKEN: required with Redis (`openssl rand -base64 32`)')
  }
  if (redis && !URL.canParse(env.COUNTERSIGN_STORE.replace(/^redis\+?[a-z]*:/, 'http:').split(',')[0] ?? '')) {
    problems.push('COUNTERSIGN_STORE: not a URL')
  }
  if (/^redis\+sentinel:\/\/[^/]*\/?$/.test(env.COUNTERSIGN_STORE)) {
    problems.push('COUNTERSIGN_STORE: redis+sentinel://… ends in /<name of the primary>')
  }
  if (/^redis\+(sentinel|cluster):\/\/([^@/]*@)?(\/|$)/.test(env.COUNTERSIGN_STORE)) {
    problems.push('COUNTERSIGN_STORE: no host')
  }
  const trustProxy = env.COUNTERSIGN_TRUST_PROXY === 'none' ? [] : splitList(env.COUNTERSIGN_TRUST_PROXY)
  for (const each of trustProxy) {
    if (!isAddressOrCidr(each)) problems.push(`COUNTERSIGN_TRUST_PROXY: ${JSON.stringify(each)} is no address or CIDR`)
  }
  const origins = splitList(env.COUNTERSIGN_ALLOWED_ORIGINS)
  if (!origins.includes('*')) {
    for (const each of origins) {
      if (!isOrigin(each))
        problems.push(`COUNTERSIGN_ALLOWED_ORIGINS: ${JSON.stringify(each)} is no origin like https://example.com`)
    }
  } else if (origins.length > 1) problems.push('COUNTERSIGN_ALLOWED_ORIGINS: `*` stands alone')
  if ((env.COUNTERSIGN_TLS_CERT === undefined) !== (env.COUNTERSIGN_TLS_KEY === undefined)) {
    problems.push('COUNTERSIGN_TLS_CERT and COUNTERSIGN_TLS_KEY: set both or neither')
  }
  if (env.COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS <= env.COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS) {
    problems.push('COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: must be longer than COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS')
  }
  const presence = env.COUNTERSIGN_PRESENCE === 'none' ? [] : splitList(env.COUNTERSIGN_PRESENCE)
  if (presence.length > maxPresencePatterns) {
    problems.push(`COUNTERSIGN_PRESENCE: at most ${maxPresencePatterns} patterns`)
  }
  for (const each of presence) {
    if (each === 'none') problems.push('COUNTERSIGN_PRESENCE: `none` stands alone')
    else if (!channelPattern.test(each)) {
      problems.push(`COUNTERSIGN_PRESENCE: ${JSON.stringify(each)} is no pattern of channels like match:*`)
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)

  const config: Config = {
    host: env.COUNTERSIGN_HOST,
    port: env.COUNTERSIGN_PORT,
    store: redis ? { kind: 'redis', url: env.COUNTERSIGN_STORE } : { kind: 'embedded' },
    dataDir: env.COUNTERSIGN_DATA_DIR,
    masterKeys,
    adminToken: env.COUNTERSIGN_ADMIN_TOKEN,
    logLevel: env.COUNTERSIGN_LOG_LEVEL,
    rateLimit: env.COUNTERSIGN_RATE_LIMIT === 'on',
    trustProxy,
    allowedOrigins:
      origins.length === 0 ? { kind: 'own' } : origins[0] === '*' ? { kind: 'any' } : { kind: 'list', origins },
    allowInsecureHttp: env.COUNTERSIGN_INSECURE_HTTP === 'allow',
    tls:
      env.COUNTERSIGN_TLS_CERT !== undefined && env.COUNTERSIGN_TLS_KEY !== undefined
        ? { certFile: env.COUNTERSIGN_TLS_CERT, keyFile: env.COUNTERSIGN_TLS_KEY }
        : undefined,
    drainMs: env.COUNTERSIGN_DRAIN_SECONDS * 1000,
    heartbeatIntervalSeconds: env.COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS,
    heartbeatTimeoutSeconds: env.COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS,
    bridgeTimeoutSeconds: env.COUNTERSIGN_BRIDGE_TIMEOUT_SECONDS,
    lingerMs: env.COUNTERSIGN_LINGER_MS,
    freshChallengeMs: env.COUNTERSIGN_FRESH_CHALLENGE_SECONDS * 1000,
    frameBytes: env.COUNTERSIGN_FRAME_BYTES,
    maxSessions: env.COUNTERSIGN_MAX_SESSIONS,
    maxSessionsPerClient: env.COUNTERSIGN_MAX_SESSIONS_PER_CLIENT,
    failedHandshakesPerMinute: env.COUNTERSIGN_FAILED_HANDSHAKES_PER_MINUTE,
    handshakesPerMinute: env.COUNTERSIGN_HANDSHAKES_PER_MINUTE,
    framesPerSecond: env.COUNTERSIGN_FRAMES_PER_SECOND,
    presence,
    history: { size: env.COUNTERSIGN_HISTORY_SIZE, lifeMs: env.COUNTERSIGN_HISTORY_SECONDS * 1000 }
  }
  return { config: Object.freeze(config), warnings }
}
