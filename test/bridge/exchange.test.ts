import t from 'tap'
import { stores } from '../helper/stores.js'
import { bodySuite } from './body.suite.js'
import { deliverySuite } from './delivery.suite.js'
import { endingSuite } from './endings.suite.js'
import { freshChallengeSuite } from './fresh-challenge.suite.js'
import { heartbeatSuite } from './heartbeats.suite.js'
import { heldPollSuite } from './held-polls.suite.js'
import { limitSuite } from './limits.suite.js'
import { rewoundSessionSuite } from './rewound-sessions.suite.js'

/** The rules of an exchange (PROTOCOL §9.4), each provoked, on each store. */

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`exchanges, ${kind}`, t => {
    const suites = [
      bodySuite,
      deliverySuite,
      heartbeatSuite,
      heldPollSuite,
      endingSuite,
      freshChallengeSuite,
      limitSuite,
      rewoundSessionSuite
    ]
    for (const suite of suites) suite(t, openStore)
    t.end()
  })
}
