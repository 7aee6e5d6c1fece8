import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import type { Config } from '../../config/load.js'
import { maxWorkers } from '../../config/schema.js'

/** Determines the number of workers and the memory of each. */

/** Resources of the machine available to the process. */
export interface Resources {
  readonly cores: number
  readonly memoryBytes: number
  /** Heap of a process without options of its own. */
  readonly heapBytes: number
}

/** Memory of a worker before its first session. */
export const leastBytesPerWorker = 100 * 1024 * 1024
/** Memory per worker with `auto`. */
const bytesPerWorker = 256 * 1024 * 1024
/** Share of the memory for the heaps of all workers; buffers and sockets need the rest. */
const heapShare = 3 / 4
const mib = 1024 * 1024

/** Cores that a container may use on average: Node 20 and 22 do not know it. */
function readCoreQuota(): number {
  try {
    const [quota, period] = readFileSync('/sys/fs/cgroup/cpu.max', 'utf8').split(' ').map(Number)
    return quota === undefined || period === undefined || !(quota > 0) ? Number.POSITIVE_INFINITY : quota / period
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

export function readResources(): Resources {
  // 0 or more than the machine has, if nothing constrains it.
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY
  return {
    cores: Math.max(1, Math.round(Math.min(availableParallelism(), readCoreQuota()))),
    memoryBytes: Math.min(constrained, totalmem()),
    heapBytes: getHeapStatistics().heap_size_limit
  }
}

/** @returns the number of serving processes; 1: the one that was started */
export function workerCount({ workers, store }: Pick<Config, 'workers' | 'store'>, resources: Resources): number {
  if (workers !== 'auto') return workers
  if (store.kind === 'embedded') return 1
  const { cores, memoryBytes } = resources
  return Math.max(1, Math.min(cores, Math.floor(memoryBytes / bytesPerWorker), maxWorkers))
}

/** The meaning of `auto` here and its reason, for the log. */
export function explainCount({ store }: Pick<Config, 'store'>, resources: Resources): string {
  const count = workerCount({ workers: 'auto', store }, resources)
  const means = `COUNTERSIGN_WORKERS=auto: ${count === 1 ? 'one process' : `${count} workers`}`
  if (store.kind === 'embedded') return `${means}, since the embedded store serves one process`
  const { cores, memoryBytes } = resources
  const isShort = count < Math.min(cores, maxWorkers)
  return isShort
    ? `${means} for ${cores} cores: each needs 256 MiB of ${Math.floor(memoryBytes / mib)}`
    : `${means}, one per core`
}

/**
 * Node options that keep the heaps of all workers within the memory. Options given to this process take precedence.
 * @param given  the options of this process
 */
export function heapOptions(count: number, { memoryBytes, heapBytes }: Resources, given: readonly string[]): string[] {
  if (given.some(option => /max[-_](old[-_]space|heap)[-_]size/.test(option))) return []
  const share = Math.floor((memoryBytes * heapShare) / count / mib)
  return share * mib < heapBytes ? [`--max-old-space-size=${share}`] : []
}
