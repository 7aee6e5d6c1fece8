import t from 'tap'
import { stores } from '../helper/stores.js'
import { presenceContract } from './presence-contract.js'

for (const [kind, open] of Object.entries(stores))
  t.test(kind, t => {
    presenceContract(t, open)
    t.end()
  })
