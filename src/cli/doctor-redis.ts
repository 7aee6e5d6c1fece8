import { Redis } from 'ioredis'
import { passwordsOf } from '../config/store-url.js'
import { messageOf } from '../log/error-serializer.js'
import { Redactor } from '../log/redactor.js'

/** Checks that Redis is set up as docs/operating.md requires, before the store is opened. */

export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly text: string
  /** What to do; present if and only if it is not ok. */
  readonly todo?: string
}

const connectTimeoutMs = 3000
/** The gateways expire sessions by their own clocks and Redis by its own: with a larger difference they disagree. */
const maxClockDifferenceMs = 1000

function check(name: string, ok: boolean, text: string, todo: string): Check {
  return { name, ok, text, ...(ok ? {} : { todo }) }
}

/** `field:value` of INFO. */
function fieldOf(info: string, field: string): string | undefined {
  return new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}

function checkVersion(server: string): Check {
  const valkey = fieldOf(server, 'valkey_version')
  const version = valkey ?? fieldOf(server, 'redis_version') ?? '?'
  const wanted = valkey === undefined ? 7 : 8
  const name = valkey === undefined ? 'Redis' : 'Valkey'
  const ok = Number(version.split('.')[0]) >= wanted
  return check('store', ok, `${name} ${version}`, 'upgrade to Redis 7.0 or newer, or Valkey 8')
}

async function checkDifference(redis: Redis, now: () => number): Promise<Check> {
  const before = now()
  const [seconds, micros] = await redis.time()
  const here = (before + now()) / 2
  const difference = Math.round(Number(seconds) * 1000 + Number(micros) / 1000 - here)
  const ok = Math.abs(difference) <= maxClockDifferenceMs
  const text = `Redis' clock is ${Math.abs(difference)} ms ${difference < 0 ? 'behind' : 'ahead'}`
  return check('clock', ok, text, 'synchronize both machines (NTP)')
}

/**
 * @param url  COUNTERSIGN_STORE. Sentinel and Cluster are not checked here: there is no single Redis to ask.
 */
export async function checkRedis(url: string, now: () => number): Promise<Check[]> {
  if (!/^rediss?:/.test(url)) {
    const text = 'Sentinel or Cluster: version, appendonly and maxmemory-policy are not checked'
    return [check('store', true, text, '')]
  }
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    commandTimeout: connectTimeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null
  })
  let last: Error | undefined
  redis.on('error', error => {
    last = error
  })
  try {
    await redis.connect()
    const [server, memory, persistence] = await Promise.all([
      redis.info('server'),
      redis.info('memory'),
      redis.info('persistence')
    ])
    const append = fieldOf(persistence, 'aof_enabled') === '1'
    const policy = fieldOf(memory, 'maxmemory_policy') ?? 'unknown'
    return [
      checkVersion(server),
      check(
        'store',
        append,
        `appendonly is ${append ? 'on' : 'off'}`,
        'set appendonly yes: otherwise a crash of Redis loses changes'
      ),
      check(
        'store',
        policy === 'noeviction',
        `maxmemory-policy is ${policy}`,
        'set maxmemory-policy noeviction: an evicted license is worse than an error'
      ),
      await checkDifference(redis, now)
    ]
  } catch (error) {
    const why = messageOf(last ?? error, new Redactor(passwordsOf(url)).redact)
    const todo = 'is Redis running, and are the address and password in COUNTERSIGN_STORE right?'
    return [check('store', false, `Redis does not answer: ${why}`, todo)]
  } finally {
    redis.disconnect()
  }
}
