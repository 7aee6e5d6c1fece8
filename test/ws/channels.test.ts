import t from 'tap'
import { stores } from '../helper/stores.js'
import { channelSuite } from '../transport/channels.js'

t.test('channels over ws, embedded', t => {
  channelSuite(t, { openStore: stores.embedded })
  t.end()
})
