import t from 'tap'
import { stores } from '../helper/stores.js'
import { bridgeSuite } from './bridge.suite.js'
import { bridgeAnswersSuite } from './bridge-answers.suite.js'
import { knownStateSuite } from './known-state.suite.js'

for (const [kind, open] of Object.entries(stores))
  t.test(kind, t => {
    bridgeSuite(t, open)
    bridgeAnswersSuite(t, open)
    knownStateSuite(t, open)
    t.end()
  })
