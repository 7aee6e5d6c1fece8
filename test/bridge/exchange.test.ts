import t from 'tap'
import { stores } from '../helper/stores.js'
import { exchangeSuite } from './exchange.js'

for (const [kind, open] of Object.entries(stores)) {
  t.test(`exchanges, ${kind}`, t => {
    exchangeSuite(t, open)
    t.end()
  })
}
