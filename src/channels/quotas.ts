import { idempotencyLifeMs, publishedLifeMs, unpublishedLifeMs } from '../store/channels.js'
import type { StoreBound } from '../store/store.js'

/** What one client, or one token, may use of what all share. */

/** Most of each; 0: any amount. */
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

/** Limits by what an owner is. */
export interface OwnerLimits {
  /** Of a client, and of what a token publishes itself. */
  readonly perClient: QuotaLimits
  /** Of all tickets of one token together, whatever their client ids: several times those of a client. */
  readonly perToken: QuotaLimits
}

/** Quotas of which amounts are kept until they end. */
export type KeptQuota = Exclude<keyof QuotaLimits, 'bytesPerSecond'>

export const keptQuotas: readonly KeptQuota[] = ['historyBytes', 'channels', 'idempotencyResults', 'tickets']

interface QuotaRule {
  /** In messages, after the limit. */
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

/** Live tickets of one token: a fifth of what the embedded store keeps. */
const maxTicketsPerToken = 100_000
/** Seconds of the rate that a burst may use in advance. */
export const burstSeconds = 4

export type QuotaRules = Readonly<Record<KeptQuota, QuotaRule>>

/** @param historyLifeMs  how long a publication is kept, in milliseconds */
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

/** A client's part of the bytes in histories, and what all tickets of one token may have of any quota. */
const historyShare = 1 / 4
const tokenShare = 1 / 2
/** A client's part of the idempotency results, and the most with Redis. */
const resultShare = 1 / 10
const redisResults = 30_000

/** The part of Redis' `maxmemory` that is meant for the histories of channels, and the most bytes. */
const redisHistoryShare = 1 / 2
const redisHistoryBytes = 1024 * 1024 * 1024
/** What a channel (two keys), or an idempotency result (one), takes in Redis, in bytes; see scripts/measure-memory.mjs. */
const redisChannelBytes = 512
const redisResultBytes = 256
/** The part of the same bytes that all channels, or all idempotency results, may take beside the histories. */
const redisCountShare = 1 / 4

/** The setting of {@link QuotaSettings.clientQuotas.tokenMultiple}. */
export const tokenMultipleSetting = 'COUNTERSIGN_TOKEN_QUOTA_MULTIPLE'

export interface QuotaSettings {
  /** Off lifts rates and counts; sizes stay bounded. */
  readonly rateLimit: boolean
  /** `historyBytes` 0: derived from the store. */
  readonly clientQuotas: Pick<QuotaLimits, 'bytesPerSecond' | 'historyBytes' | 'channels'> & {
    /** How many times the quotas of one client all tickets of a token may use together. */
    readonly tokenMultiple: number
  }
}

/** How much of each quota the store has for all together. */
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
 * @param bounds          of the store: of what Redis keeps there are none
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
