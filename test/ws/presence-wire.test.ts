import t from 'tap'
import { stores } from '../helper/stores.js'
import { presenceChangesSuite } from '../transport/presence-changes.suite.js'
import { presenceWireSuite } from '../transport/presence-wire.suite.js'

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`presence on the wire over ws, ${kind}`, t => {
    presenceWireSuite(t, { transport: 'ws', openStore })
    presenceChangesSuite(t, { transport: 'ws', openStore })
    t.end()
  })
}
