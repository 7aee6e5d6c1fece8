import type { Certificate } from '../../config/certificate.js'
import type { Sources } from '../../config/sources.js'
import type { MetricValues } from '../../metrics.js'

/** Messages between the primary process and its workers. All have the same version. */

/** Input of a worker at its start. */
export interface WorkerSetup {
  /** As they were when the primary started: a replacement for a worker has the same settings. */
  readonly sources: Sources
  /** 1 to `count`. A worker's replacement has its number. */
  readonly number: number
  readonly count: number
  readonly port: number
  /** The last good one: the files may hold another by now. */
  readonly certificate?: Certificate | undefined
  /** SIGHUP may have changed it. */
  readonly logLevel: string
}

export type ToWorker =
  | { readonly type: 'setup'; readonly setup: WorkerSetup }
  /** Accept connections. */
  | { readonly type: 'listen' }
  | { readonly type: 'reload' }
  | { readonly type: 'stop' }
  /** Send your metrics. */
  | { readonly type: 'read'; readonly round: number }
  /** The metrics of all workers. */
  | { readonly type: 'rendered'; readonly text: string }

export type ToPrimary =
  | { readonly type: 'started' }
  /** It can accept connections. */
  | { readonly type: 'prepared' }
  | { readonly type: 'listening'; readonly url: string; readonly instanceId: string }
  /** Why it ends before it serves, in one line. */
  | { readonly type: 'failed'; readonly reason: string }
  | { readonly type: 'metrics'; readonly round: number; readonly metrics: readonly MetricValues[] }
  /** Send the metrics of all workers. */
  | { readonly type: 'render' }
