import t from 'tap'
import { stores } from '../helper/stores.js'
import { presenceChangesSuite } from '../transport/presence-changes.suite.js'
import { presenceWireSuite } from '../transport/presence-wire.suite.js'

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`presence on the wire over the bridge, ${kind}`, t => {
    presenceWireSuite(t, { transport: 'bridge', openStore })
    presenceChangesSuite(t, { transport: 'bridge', openStore })
    t.end()
  })
}
