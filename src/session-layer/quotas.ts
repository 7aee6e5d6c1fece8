import { CapacityWatcher } from '../channels/capacity-watcher.js'
import { ClientQuotas, type ClientQuotasOptions } from '../channels/client-quotas.js'
import { quotaLimits } from '../channels/quotas.js'
import type { Config } from '../config/load.js'
import type { Log } from '../session/dependencies.js'
import type { Store } from '../store/store.js'

/** The quotas of clients and tokens, with limits derived from the store's capacity. */

interface QuotaParts {
  readonly config: Config
  readonly store: Store
  readonly log: Log
  /** Unix milliseconds of the steady clock. */
  readonly now: () => number
}

export function createQuotas({
  config,
  store,
  ...rest
}: QuotaParts & Pick<ClientQuotasOptions, 'onRefusal'>): ClientQuotas {
  const { log, now, onRefusal } = rest
  return new ClientQuotas({
    limits: quotaLimits(config, store.bounds()),
    historyLifeMs: config.history.lifeMs,
    store: store.quotas,
    ...{ onRefusal, now, log }
  })
}

export function createCapacityWatcher({ config, store, log, now }: QuotaParts, quotas: ClientQuotas): CapacityWatcher {
  return new CapacityWatcher({
    ...{ store, now, log },
    limitsOf: maxBytes => quotaLimits(config, store.bounds(), maxBytes),
    onLimits: limits => {
      quotas.limits = limits
    }
  })
}
