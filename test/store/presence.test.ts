import t from 'tap'
import { stores } from '../helper/stores.js'
import { presenceSuite } from './presence.suite.js'

for (const [kind, open] of Object.entries(stores))
  t.test(kind, t => {
    presenceSuite(t, open)
    t.end()
  })
