import { type Address, credentialsOf, parseConnectionUrl, type RedisConnection } from './connection-url.js'
import { diagnose, findServers, sentinelsOf } from './diagnose.js'
import { nameOf, type Server, withConnection } from './direct-connection.js'
import { type Diagnosis, explainError } from './explain-error.js'
import type { Redis } from './ioredis.js'

/** Nodes of a Cluster that are inspected. */
const maxNodes = 32

/** Data that a server of Redis reports about itself. */
export interface RedisServerState {
  /** `host:port`. */
  readonly name: string
  readonly isValkey: boolean
  /** These three are undefined if the user may not run INFO. */
  readonly version: string | undefined
  readonly appendOnly: boolean | undefined
  readonly evictionPolicy: string | undefined
  /** Its clock minus this one, in milliseconds. */
  readonly clockDifferenceMs: number
}

export interface RedisInspection {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  /** The primaries. */
  readonly servers: readonly RedisServerState[]
  /** Faults of sentinels or nodes although Redis can be used. */
  readonly faults: readonly Diagnosis[]
}

/** `field:value` of INFO. */
function fieldOf(info: string | undefined, field: string): string | undefined {
  return info === undefined ? undefined : new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}

/** INFO, which may be denied to a restricted user (docs/operating.md, ACL). */
async function infoOf(redis: Redis): Promise<string | undefined> {
  try {
    return await redis.info()
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return undefined
    throw error
  }
}

function stateOf(server: Server, now: () => number): Promise<RedisServerState> {
  return withConnection(server, async redis => {
    const info = await infoOf(redis)
    const before = now()
    const [seconds, micros] = await redis.time()
    const here = (before + now()) / 2
    const append = fieldOf(info, 'aof_enabled')
    const valkey = fieldOf(info, 'valkey_version')
    return {
      name: nameOf(server.address),
      isValkey: valkey !== undefined,
      version: valkey ?? fieldOf(info, 'redis_version'),
      appendOnly: append === undefined ? undefined : append === '1',
      evictionPolicy: fieldOf(info, 'maxmemory_policy'),
      clockDifferenceMs: Math.round(Number(seconds) * 1000 + Number(micros) / 1000 - here)
    }
  })
}

/** The primaries of a Cluster's slots, as one node reports them. */
async function primariesOf(node: Server): Promise<Server[]> {
  const slots: unknown = await withConnection(node, redis => redis.call('CLUSTER', 'SLOTS'))
  const found = new Map<string, Address>()
  for (const range of Array.isArray(slots) ? slots : []) {
    const primary: unknown = Array.isArray(range) ? range[2] : undefined
    if (!Array.isArray(primary)) continue
    // An empty host means the host of this connection.
    const address = { host: String(primary[0] || node.address.host), port: Number(primary[1]) }
    found.set(nameOf(address), address)
  }
  return [...found.values()].slice(0, maxNodes).map(address => ({ ...node, address }))
}

async function faultOf(what: string, server: Server, work: (redis: Redis) => Promise<unknown>): Promise<Diagnosis[]> {
  try {
    await withConnection(server, work)
    return []
  } catch (error) {
    return [explainError(`${what} at ${nameOf(server.address)}`, error)]
  }
}

/**
 * Asks every primary, every configured sentinel and every configured node.
 * @param now  unix milliseconds
 * @returns the reason if Redis cannot be used
 */
export async function inspectRedis(
  connection: RedisConnection,
  now: () => number
): Promise<RedisInspection | Diagnosis> {
  const why = await diagnose(connection)
  if (why !== undefined) return why
  const target = parseConnectionUrl(connection)
  const found = await findServers(target)
  if ('cause' in found) return found
  const { kind } = target
  const checks: Promise<Diagnosis[]>[] = []
  let primaries: readonly Server[] = found
  if (kind === 'sentinel') {
    const known = (redis: Redis) => redis.call('SENTINEL', 'get-master-addr-by-name', target.name)
    checks.push(...sentinelsOf(target).map(sentinel => faultOf('Sentinel', sentinel, known)))
  } else if (kind === 'cluster') {
    checks.push(...found.map(node => faultOf('Redis', node, redis => redis.call('CLUSTER', 'INFO'))))
    const credentials = credentialsOf(target)
    for (const node of found) {
      primaries = await primariesOf({ ...node, credentials }).catch(() => [])
      if (primaries.length > 0) break
    }
    if (primaries.length === 0) return { cause: 'no node serves a slot', todo: 'assign the slots', answers: true }
  }
  const faults = (await Promise.all(checks)).flat()
  const asked = await Promise.allSettled(primaries.map(server => stateOf(server, now)))
  for (const [i, result] of asked.entries()) {
    const address = primaries[i]?.address
    if (result.status === 'rejected' && address !== undefined) {
      faults.push(explainError(`Redis at ${nameOf(address)}`, result.reason))
    }
  }
  return { kind, servers: asked.flatMap(each => (each.status === 'fulfilled' ? [each.value] : [])), faults }
}
