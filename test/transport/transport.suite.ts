import type { Test } from 'tap'
import { capacitySuite } from './capacity.suite.js'
import { challengeSuite } from './challenges.suite.js'
import { clockSuite } from './clocks.suite.js'
import { frameSuite } from './frames.suite.js'
import { handshakeSuite } from './handshake.suite.js'
import { createHarness, type TransportUnderTest } from './harness.js'
import { heartbeatSuite } from './heartbeat.suite.js'
import { logSuite } from './log.suite.js'
import { orderSuite } from './order.suite.js'
import { revocationSuite } from './revocation.suite.js'
import { storeFailureSuite } from './store-failures.suite.js'
import { validateSuite } from './validate.suite.js'

const suites = [
  handshakeSuite,
  capacitySuite,
  challengeSuite,
  frameSuite,
  logSuite,
  orderSuite,
  heartbeatSuite,
  clockSuite,
  revocationSuite,
  validateSuite,
  storeFailureSuite
]

/** Everything a session promises, whatever transport carries it (PROTOCOL §2 to §7). */
export function transportSuite(t: Test, under: TransportUnderTest): void {
  const harness = createHarness(t, under)
  for (const suite of suites) suite(t, harness)
}
