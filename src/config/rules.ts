import { isIP } from 'node:net'
import { checkOriginList } from './origins.js'
import type { Settings } from './schema.js'
import { isAmbiguous, showItem, storeUrlFault } from './store-url.js'

/** Rules that the schema cannot express: the contents of lists, and rules across several settings. */

/** Keys: the encrypting key and decrypt-only ones. */
const maxMasterKeys = 8
/** Every channel that a session joins is matched against each of them. */
const maxPresencePatterns = 64
/** A silent client is asked for a heartbeat 5 s after its interval, and has another 5 s to answer (PROTOCOL §6.1). */
const pingAnswerSeconds = 10
/** Canonical base64 of exactly 32 bytes: `Buffer.from` silently drops invalid characters. */
export const masterKeyPattern = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/
const channelPattern = /^(?=.)[A-Za-z0-9_.:-]{0,128}\*?$/

/** Items of a comma-separated list; empty ones are dropped. */
export function splitList(text: string): string[] {
  return text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
}

export function isRedis(settings: Settings): boolean {
  return settings.COUNTERSIGN_STORE !== 'embedded'
}

function checkMasterKeys({ COUNTERSIGN_MASTER_KEY: text }: Settings): string[] {
  if (text === undefined) return []
  const keys = splitList(text)
  return keys.length > 0 && keys.length <= maxMasterKeys && keys.every(key => masterKeyPattern.test(key))
    ? []
    : [`COUNTERSIGN_MASTER_KEY: 1 to ${maxMasterKeys} keys, each the base64 of 32 bytes (\`openssl rand -base64 32\`)`]
}

/** Instances that share a Redis must share their secrets: none of them may generate its own. */
function checkRedisSecrets(settings: Settings): string[] {
  if (!isRedis(settings)) return []
  const names = ['COUNTERSIGN_MASTER_KEY', 'COUNTERSIGN_ADMIN_TOKEN'] as const
  return names
    .filter(name => settings[name] === undefined)
    .map(name => `${name}: required with Redis (\`openssl rand -base64 32\`)`)
}

function checkStore({ COUNTERSIGN_STORE: store }: Settings): string[] {
  if (store === 'embedded') return []
  if (isAmbiguous(store)) {
    return ['COUNTERSIGN_STORE: percent-encode `/`, `?`, `#` and `@` in the user and password, and `@` after the host']
  }
  const fault = storeUrlFault(store)
  return fault === undefined ? [] : [`COUNTERSIGN_STORE: ${fault}`]
}

/** Settings that the form of the store does not use: the operator probably meant another form. */
function checkStoreForm(settings: Settings): string[] {
  const { COUNTERSIGN_STORE: store, COUNTERSIGN_REDIS_CA: ca, COUNTERSIGN_SENTINEL_PASSWORD: password } = settings
  const faults: string[] = []
  if (ca !== undefined && !/^rediss(\+|:)/.test(store)) {
    faults.push(
      'COUNTERSIGN_REDIS_CA: needs a COUNTERSIGN_STORE with TLS: rediss://, rediss+sentinel://, rediss+cluster://'
    )
  }
  if (password !== undefined && !/^rediss?\+sentinel:/.test(store)) {
    faults.push('COUNTERSIGN_SENTINEL_PASSWORD: needs a COUNTERSIGN_STORE with redis+sentinel:// or rediss+sentinel://')
  }
  return faults
}

function isAddressOrCidr(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

export function trustedProxies({ COUNTERSIGN_TRUST_PROXY: text }: Settings): string[] {
  return text === 'none' ? [] : splitList(text)
}

function checkTrustProxy(settings: Settings): string[] {
  const { COUNTERSIGN_TRUST_PROXY: text } = settings
  return trustedProxies(settings)
    .filter(proxy => !isAddressOrCidr(proxy))
    .map(
      proxy =>
        `COUNTERSIGN_TRUST_PROXY: ${JSON.stringify(showItem('COUNTERSIGN_TRUST_PROXY', text, proxy))} is not an address or CIDR`
    )
}

function checkOrigins({ COUNTERSIGN_ALLOWED_ORIGINS: text }: Settings): string[] {
  // They delimit the user info and query of a URL, which messages must never quote.
  const fault = 'COUNTERSIGN_ALLOWED_ORIGINS: no origin holds `@` or `?`: write one like https://example.com'
  if (/[@?]/.test(text)) return [fault]
  return checkOriginList(splitList(text)).map(fault => `COUNTERSIGN_ALLOWED_ORIGINS: ${fault}`)
}

export function presencePatterns({ COUNTERSIGN_PRESENCE: text }: Settings): string[] {
  return text === 'none' ? [] : splitList(text)
}

function checkPresence(settings: Settings): string[] {
  const { COUNTERSIGN_PRESENCE: text } = settings
  const patterns = presencePatterns(settings)
  const faults = patterns
    .filter(pattern => pattern === 'none' || !channelPattern.test(pattern))
    .map(pattern =>
      pattern === 'none'
        ? 'COUNTERSIGN_PRESENCE: `none` must stand alone'
        : `COUNTERSIGN_PRESENCE: ${JSON.stringify(showItem('COUNTERSIGN_PRESENCE', text, pattern))} is not a pattern of channels like match:*`
    )
  return patterns.length > maxPresencePatterns
    ? [`COUNTERSIGN_PRESENCE: at most ${maxPresencePatterns} patterns`, ...faults]
    : faults
}

function checkPairs(settings: Settings): string[] {
  const faults: string[] = []
  if ((settings.COUNTERSIGN_TLS_CERT === undefined) !== (settings.COUNTERSIGN_TLS_KEY === undefined)) {
    faults.push('COUNTERSIGN_TLS_CERT and COUNTERSIGN_TLS_KEY: set both or neither')
  }
  const { COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS: interval, COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: timeout } = settings
  if (timeout <= interval + pingAnswerSeconds) {
    faults.push(
      `COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: must be longer than COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS + ${pingAnswerSeconds}`
    )
  }
  return faults
}

/**
 * One process uses the data folder: LMDB could share durable data, but sessions and channels are in the process's
 * memory.
 */
function checkWorkers(settings: Settings): string[] {
  const { COUNTERSIGN_WORKERS: workers } = settings
  if (isRedis(settings) || workers === '1' || workers === 'auto') return []
  return [
    `COUNTERSIGN_WORKERS: ${workers} workers need Redis, since the embedded store keeps sessions and channels in the memory of one process: set COUNTERSIGN_STORE, or 1`
  ]
}

const rules = [
  checkMasterKeys,
  checkRedisSecrets,
  checkStore,
  checkStoreForm,
  checkWorkers,
  checkTrustProxy,
  checkOrigins,
  checkPairs,
  checkPresence
] as const

/** @returns every violated rule, one sentence each */
export function checkRules(settings: Settings): string[] {
  return rules.flatMap(rule => rule(settings))
}
