import t from 'tap'
import { codes } from '../../src/protocol/codes.js'
import { stores } from '../helper/stores.js'
import { transportSuite } from '../transport/transport.suite.js'

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`sessions over the bridge, ${kind}`, t => {
    transportSuite(t, {
      transport: 'bridge',
      openStore,
      async ended(t, wire, code) {
        if (code === 'bye') t.match(await wire.closed(), { code: 410 })
        else t.same(await wire.closed(), { code: codes[code].status, reason: code })
      }
    })
    t.end()
  })
}
