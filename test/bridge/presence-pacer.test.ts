import t from 'tap'
import { maxPacedChannels, PresencePacer } from '../../src/bridge/presence-pacer.js'
import { presenceChannelOf } from '../../src/session/presence-changes.js'
import { createClock } from '../helper/clock.js'

t.test('permits one message about a channel a second, and any publication', async t => {
  const clock = createClock()
  const pacer = new PresencePacer(clock.now)
  const name = presenceChannelOf('c')
  t.equal(pacer.waitMs(name), 0)
  pacer.sent(name)
  t.equal(pacer.waitMs(name), 1000)
  t.equal(pacer.waitMs('c'), 0)
  t.equal(pacer.waitMs(presenceChannelOf('d')), 0)
  clock.advance(400)
  t.equal(pacer.waitMs(name), 600)
  clock.advance(700)
  t.equal(pacer.waitMs(name), 0)
})

t.test('remembers a bounded number of channels', async t => {
  const clock = createClock()
  const pacer = new PresencePacer(clock.now)
  for (let i = 0; i < maxPacedChannels; i++) pacer.sent(presenceChannelOf(`c${i}`))
  t.equal(pacer.waitMs(presenceChannelOf('c0')), 1000)
  pacer.sent(presenceChannelOf('one more'))
  t.equal(pacer.waitMs(presenceChannelOf('c0')), 0)
  t.equal(pacer.waitMs(presenceChannelOf('one more')), 1000)
})
