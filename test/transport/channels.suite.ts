import type { Test } from 'tap'
import { createChannelHarness } from './channel-harness.js'
import type { TransportAndStore } from './harness.js'
import { channelPermissionSuite } from './permissions.suite.js'
import { publishingSuite } from './publishing.suite.js'
import { quotaSuite } from './quotas.suite.js'
import { recoverySuite } from './recovery.suite.js'

/** Channels as a session sees them, whatever transport carries it (PROTOCOL §10). */
export function channelSuite(t: Test, under: TransportAndStore): void {
  const harness = createChannelHarness(under)
  for (const suite of [publishingSuite, recoverySuite, channelPermissionSuite, quotaSuite]) suite(t, harness)
}
