import t from 'tap'
import { codes } from '../../src/protocol/codes.js'
import { stores } from '../helper/stores.js'
import { transportSuite } from '../transport/transport.suite.js'

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`sessions over ws, ${kind}`, t => {
    transportSuite(t, {
      transport: 'ws',
      openStore,
      async ended(t, wire, code) {
        if (code === 'bye') {
          t.match(await wire.closed(), { code: 1000 })
          return
        }
        const { close } = codes[code] as { close?: number }
        t.same(await wire.closed(), { code: close, reason: code })
      }
    })
    t.end()
  })
}
