import { inspectRedis, type RedisServerState, redisConnectionOf } from '../store/open.js'
import { type RedisChoice, StoreMisconfigured } from '../store/store.js'

/** Checks that Redis is set up as docs/operating.md requires, before the store is opened. */

export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly text: string
  /** The remedy; present if and only if the check fails. */
  readonly todo?: string
}

/** The gateways expire sessions by their own clocks and Redis by its own: with a larger difference they disagree. */
const maxClockDifferenceMs = 1000

export function pass(name: string, text: string): Check {
  return { name, ok: true, text }
}

export function fail(name: string, text: string, todo: string): Check {
  return { name, ok: false, text, todo }
}

function check(name: string, ok: boolean, text: string, todo: string): Check {
  return ok ? pass(name, text) : fail(name, text, todo)
}

function checkVersion({ isValkey, version }: RedisServerState, where: string): Check {
  const ok = Number(version?.split('.')[0]) >= (isValkey ? 8 : 7)
  const text = `${isValkey ? 'Valkey' : 'Redis'} ${version}${where}`
  return check('store', ok, text, 'upgrade to Redis 7.0 or newer, or Valkey 8')
}

function checkClock({ clockDifferenceMs: difference }: RedisServerState, where: string): Check {
  const ok = Math.abs(difference) <= maxClockDifferenceMs
  const text = `Redis' clock is ${Math.abs(difference)} ms ${difference < 0 ? 'behind' : 'ahead'}${where}`
  return check('clock', ok, text, 'synchronize both machines (NTP)')
}

/** @param where  names the server if there are several; otherwise empty */
function checkServer(state: RedisServerState, where: string): Check[] {
  const { version, appendOnly, evictionPolicy } = state
  if (version === undefined) {
    const text = `the user may not run INFO: version, appendonly and maxmemory-policy are not checked${where}`
    return [pass('store', text), checkClock(state, where)]
  }
  return [
    checkVersion(state, where),
    check(
      'store',
      appendOnly === true,
      `appendonly is ${appendOnly === true ? 'on' : 'off'}${where}`,
      'set appendonly yes: otherwise a crash of Redis loses changes'
    ),
    check(
      'store',
      evictionPolicy === 'noeviction',
      `maxmemory-policy is ${evictionPolicy ?? 'unknown'}${where}`,
      'set maxmemory-policy noeviction: an evicted license is worse than an error'
    ),
    checkClock(state, where)
  ]
}

const kinds = { single: '', sentinel: 'Sentinel', cluster: 'Cluster' } as const

/** Checks each server of a store's form. The texts contain nothing of a user or password. */
export async function checkRedis(store: RedisChoice, now: () => number): Promise<Check[]> {
  try {
    const state = await inspectRedis(redisConnectionOf(store), now)
    if ('cause' in state) return [fail('store', `Redis cannot be used: ${state.cause}`, state.todo)]
    const { kind, servers, faults } = state
    const isOne = kind === 'single'
    return [
      ...(isOne ? [] : [pass('store', `${kinds[kind]}: ${servers.length} primaries`)]),
      ...faults.map(({ cause, todo }) => fail('store', cause, todo)),
      ...servers.flatMap(each => checkServer(each, isOne ? '' : ` at ${each.name}`))
    ]
  } catch (error) {
    if (!(error instanceof StoreMisconfigured)) throw error
    return [fail('store', error.message, 'correct it')]
  }
}
