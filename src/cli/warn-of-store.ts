import type { Config } from '../config/load.js'
import { checkRedis } from './doctor-redis.js'
import type { ProcessLog } from './process-log.js'

/** Logs each fault of Redis that `countersign doctor` finds, once. */
export async function warnOfStore({ store }: Config, { logger, redactor }: ProcessLog): Promise<void> {
  if (store.kind !== 'redis') return
  try {
    for (const { ok, text, todo } of await checkRedis(store, Date.now)) {
      if (!ok) logger.warn({ check: 'store' }, redactor.redact(`${text}: ${todo}`))
    }
  } catch (error) {
    logger.debug({ err: error }, 'could not check Redis')
  }
}
