import t from 'tap'
import { stores } from '../helper/stores.js'
import { bridgeContract } from './bridge-contract.js'

for (const [kind, open] of Object.entries(stores))
  t.test(kind, t => {
    bridgeContract(t, open)
    t.end()
  })
