import t from 'tap'
import { stores } from '../helper/stores.js'
import { presenceSuite } from '../transport/presence.suite.js'

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`presence over ws, ${kind}`, t => {
    presenceSuite(t, { transport: 'ws', openStore })
    t.end()
  })
}
