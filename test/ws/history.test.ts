import t from 'tap'
import { stores } from '../helper/stores.js'
import { createChannelHarness } from '../transport/channel-harness.js'
import { historySuite } from '../transport/history.suite.js'

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`history over ws, ${kind}`, t => {
    historySuite(t, createChannelHarness({ transport: 'ws', openStore }))
    t.end()
  })
}
