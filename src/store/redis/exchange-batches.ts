import type { RedisClient } from './client.js'
import { type BatchCall, ScriptBatches } from './script-batches.js'

/** Exchanges of a turn, in scripts that may use the reserve and others. Those of a session stay in order. */
export class ExchangeBatches {
  readonly #ordinary: ScriptBatches
  readonly #frugal: ScriptBatches

  constructor(redis: RedisClient) {
    this.#ordinary = new ScriptBatches(redis, 'bridgeExchange')
    this.#frugal = new ScriptBatches(redis, 'bridgeExchangeFromReserve')
  }

  /** @returns the reply of scripts/bridge-exchange.lua to this call. @throws StoreUnavailable */
  add(call: BatchCall, mayUseReserve: boolean): Promise<unknown> {
    const [own, others] = mayUseReserve ? [this.#frugal, this.#ordinary] : [this.#ordinary, this.#frugal]
    others.sendIfAny(call.keys[0] ?? '')
    return own.add(call)
  }
}
