import t from 'tap'
import { stores } from '../helper/stores.js'
import { channelSuite } from '../transport/channels.suite.js'

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`channels over ws, ${kind}`, t => {
    channelSuite(t, { transport: 'ws', openStore })
    t.end()
  })
}
