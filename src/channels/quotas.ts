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

/** A client's part of the bytes that the embedded store keeps. */
const historyShare = 1 / 4
/** The same with Redis, in bytes: the gateway does not know how much memory that has. */
const redisHistoryBytes = 256 * 1024 * 1024
/** A client's part of the idempotency results that the embedded store keeps, and the number with Redis. */
const resultShare = 1 / 10
const redisResults = 30_000

export interface QuotaSettings {
  /** Off lifts rates and counts; sizes stay bounded. */
  readonly rateLimit: boolean
  /** `historyBytes` 0: derived from the store. */
  readonly clientQuotas: Pick<QuotaLimits, 'bytesPerSecond' | 'historyBytes' | 'channels'>
}

/** @param bounds  of the store: empty with Redis */
export function quotaLimits(settings: QuotaSettings, bounds: readonly StoreBound[]): QuotaLimits {
  const { rateLimit, clientQuotas } = settings
  const limitOf = (name: string) => bounds.find(bound => bound.name === name)?.limit
  const kept = limitOf('history_bytes')
  const results = limitOf('idempotency_results')
  const derived = kept === undefined ? redisHistoryBytes : Math.floor(kept * historyShare)
  const historyBytes = clientQuotas.historyBytes === 0 ? derived : clientQuotas.historyBytes
  if (!rateLimit) return { bytesPerSecond: 0, historyBytes, channels: 0, idempotencyResults: 0, tickets: 0 }
  return {
    ...{ bytesPerSecond: clientQuotas.bytesPerSecond, historyBytes, channels: clientQuotas.channels },
    idempotencyResults: results === undefined ? redisResults : Math.floor(results * resultShare),
    tickets: maxTicketsPerToken
  }
}
