import t from 'tap'
import { stores } from '../helper/stores.js'
import { directorySuite } from '../transport/directory.suite.js'

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`the directory over ws, ${kind}`, t => {
    directorySuite(t, { transport: 'ws', openStore })
    t.end()
  })
}
