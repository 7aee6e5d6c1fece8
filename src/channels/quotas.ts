import { idempotencyLifeMs, publishedLifeMs, unpublishedLifeMs } from '../store/channels.js'
import type { StoreBound } from '../store/store.js'

/** Limits of one client's, or one token's, use of shared resources. */

/** Limits by quota; 0: unlimited. */
export interface QuotaLimits {
  /** Bytes published per second, on average. */
  readonly bytesPerSecond: number
  /** Bytes of publications in the histories of channels. */
  readonly historyBytes: number
  /** Channels created. */
  readonly channels: number
  readonly idempotencyResults: number
  /** Live tickets of one token. */
  readonly tickets: number
}

/** Limits by kind of owner. */
export interface OwnerLimits {
  /** Of a client, and of a token for its own publications. */
  readonly perClient: QuotaLimits
  /** Of all tickets of one token together, whatever their client ids: several times those of a client. */
  readonly perToken: QuotaLimits
}

/** Quotas whose amounts are kept until they end. */
export type KeptQuota = Exclude<keyof QuotaLimits, 'bytesPerSecond'>

export const keptQuotas: readonly KeptQuota[] = ['historyBytes', 'channels', 'idempotencyResults', 'tickets']

interface QuotaRule {
  /** Follows the limit in messages. */
  readonly what: string
  /** The setting to raise; absent: it is fixed. */
  readonly setting?: string
  /** Its name in the store and in metrics. */
  readonly name: string
  /** An amount counts for up to this long after its end, in milliseconds. */
  readonly bucketMs: number
  /** The longest life of an amount, in milliseconds. */
  readonly maxLifeMs: number
}

/** Buckets in the life of an amount: it is counted for an eighth longer at most, and eight numbers are kept. */
const buckets = 8
/** Longest life of a ticket (PROTOCOL §3), in milliseconds. */
const ticketLifeMs = 24 * 60 * 60 * 1000
const ticketBucketMs = 5 * 60 * 1000

/** Live tickets of one token: a fifth of the embedded store's capacity. */
const maxTicketsPerToken = 100_000
/** Seconds of the rate that a burst may use in advance. */
export const burstSeconds = 4

export type QuotaRules = Readonly<Record<KeptQuota, QuotaRule>>

/** @param historyLifeMs  life of a publication, in milliseconds */
export function quotaRules(historyLifeMs: number): QuotaRules {
  return {
    historyBytes: {
      what: 'bytes in the histories of channels',
      setting: 'COUNTERSIGN_CLIENT_HISTORY_BYTES',
      name: 'history_bytes',
      bucketMs: Math.max(1, Math.ceil(historyLifeMs / buckets)),
      maxLifeMs: historyLifeMs
    },
    channels: {
      what: 'new channels',
      setting: 'COUNTERSIGN_CLIENT_CHANNELS',
      name: 'channels',
      bucketMs: unpublishedLifeMs / buckets,
      maxLifeMs: publishedLifeMs
    },
    idempotencyResults: {
      what: 'idempotency keys in 5 minutes',
      name: 'idempotency_results',
      bucketMs: idempotencyLifeMs / buckets,
      maxLifeMs: idempotencyLifeMs
    },
    tickets: { what: 'live tickets', name: 'tickets', bucketMs: ticketBucketMs, maxLifeMs: ticketLifeMs }
  }
}

/** Share of one client in the bytes of histories, and of all tickets of one token in any quota. */
const historyShare = 1 / 4
const tokenShare = 1 / 2
/** A client's share of the idempotency results, and the most with Redis. */
const resultShare = 1 / 10
const redisResults = 30_000

/** The share of Redis' `maxmemory` for the histories of channels, and the most bytes. */
const redisHistoryShare = 1 / 2
const redisHistoryBytes = 1024 * 1024 * 1024
/**
 * Memory of a channel (two keys) and of an idempotency result (one key) in Redis, in bytes; see
 * scripts/measure-memory.mjs.
 */
const redisChannelBytes = 512
const redisResultBytes = 256
/** The share of the same bytes for all channels, or all idempotency results, besides the histories. */
const redisCountShare = 1 / 4

/** The setting of {@link QuotaSettings.clientQuotas.tokenMultiple}. */
export const tokenMultipleSetting = 'COUNTERSIGN_TOKEN_QUOTA_MULTIPLE'

export interface QuotaSettings {
  /** False lifts rates and counts; sizes stay bounded. */
  readonly rateLimit: boolean
  /** `historyBytes` 0: derived from the store. */
  readonly clientQuotas: Pick<QuotaLimits, 'bytesPerSecond' | 'historyBytes' | 'channels'> & {
    /** The quota of all tickets of a token, as a multiple of one client's. */
    readonly tokenMultiple: number
  }
}

/** Capacity of the store for each quota, shared by all. */
type StoreCapacity = Pick<QuotaLimits, 'historyBytes' | 'channels' | 'idempotencyResults'>

/** @param maxMemoryBytes  undefined: unlimited, or unknown */
function redisCapacity(maxMemoryBytes = Number.POSITIVE_INFINITY): StoreCapacity {
  const historyBytes = Math.floor(Math.min(redisHistoryBytes, maxMemoryBytes * redisHistoryShare))
  return {
    historyBytes,
    channels: Math.floor((historyBytes * redisCountShare) / redisChannelBytes),
    idempotencyResults: Math.floor((historyBytes * redisCountShare) / redisResultBytes)
  }
}

function capacityOf(bounds: readonly StoreBound[], maxMemoryBytes: number | undefined): StoreCapacity {
  const limitOf = (name: string) => bounds.find(bound => bound.name === name)?.limit
  const inRedis = redisCapacity(maxMemoryBytes)
  return {
    historyBytes: limitOf('history_bytes') ?? inRedis.historyBytes,
    channels: limitOf('channels') ?? inRedis.channels,
    idempotencyResults:
      limitOf('idempotency_results') ?? Math.min(redisResults / resultShare, inRedis.idempotencyResults)
  }
}

/**
 * @param bounds          of the store; Redis has none
 * @param maxMemoryBytes  of Redis; undefined: unlimited, unknown, or another store
 */
export function quotaLimits(
  { rateLimit, clientQuotas }: QuotaSettings,
  bounds: readonly StoreBound[],
  maxMemoryBytes?: number
): OwnerLimits {
  const { bytesPerSecond, channels, tokenMultiple } = clientQuotas
  const capacity = capacityOf(bounds, maxMemoryBytes)
  const derived = Math.floor(capacity.historyBytes * historyShare)
  const historyBytes = clientQuotas.historyBytes === 0 ? derived : clientQuotas.historyBytes
  const idempotencyResults = Math.floor(capacity.idempotencyResults * resultShare)
  const ofTickets = (quota: keyof StoreCapacity, ofClient: number) =>
    Math.max(ofClient, Math.min(ofClient * tokenMultiple, Math.floor(capacity[quota] * tokenShare)))
  const sizes = { historyBytes: ofTickets('historyBytes', historyBytes) }
  const none = { bytesPerSecond: 0, channels: 0, idempotencyResults: 0, tickets: 0 }
  if (!rateLimit) return { perClient: { ...none, historyBytes }, perToken: { ...none, ...sizes } }
  return {
    perClient: { bytesPerSecond, historyBytes, channels, idempotencyResults, tickets: maxTicketsPerToken },
    perToken: {
      ...sizes,
      bytesPerSecond: bytesPerSecond * tokenMultiple,
      channels: ofTickets('channels', channels),
      idempotencyResults: ofTickets('idempotencyResults', idempotencyResults),
      tickets: maxTicketsPerToken
    }
  }
}
