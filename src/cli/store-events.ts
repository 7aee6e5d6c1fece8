import type { FastifyBaseLogger } from 'fastify'
import { createOutages } from '../log/outages.js'
import { createRepeatedEvents } from '../log/repeated-events.js'
import type { StoreEvents } from '../store/open.js'

const monotonicNow = () => performance.now()

/** Logs events of the store. Call `tick` about once a second. */
export function storeEvents(logger: FastifyBaseLogger): StoreEvents & { tick(): void } {
  const outages = createOutages(
    monotonicNow,
    reason => logger.warn({ reason }, 'the connection to Redis failed: an outage begins'),
    outage => logger.warn(outage, 'the connection to Redis works again: the outage has ended')
  )
  const refusals = createRepeatedEvents(monotonicNow, (reason, suppressed) =>
    logger.warn({ reason, suppressed }, 'Redis refused more of the connections')
  )
  return {
    valueUnreadable: storeKey =>
      logger.warn({ storeKey }, 'a stored value is not one that a gateway wrote: restore the store, or delete the key'),
    connectionFailed(error) {
      if (error.name !== 'ReplyError') return outages.failed(error)
      // Redis answers, so the fault is in Redis or its configuration, e.g. a wrong password.
      const reason = error.message.split(' ', 1)[0] ?? ''
      // Its message may name the user. `connectionRefused` explains its meaning.
      refusals.record(reason, () => logger.warn({ reason }, 'Redis refused the connection'))
    },
    connectionRefused: (cause, todo) => logger.warn({ cause }, `Redis cannot be used: ${cause}: ${todo}`),
    publishesPlain: reason => logger.warn({ reason }, 'publications use plain pub/sub, not the sharded one'),
    tick() {
      outages.tick()
      refusals.tick()
    },
    writesFail: error => logger.error({ err: error }, `changes are refused: ${error.message}`),
    writesWork: () => logger.info({}, 'changes are accepted again')
  }
}
