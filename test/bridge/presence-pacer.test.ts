import t from 'tap'
import { maxPacedChannels, PresencePacer } from '../../src/bridge/presence-pacer.js'
import { presenceChannelOf } from '../../src/session/presence-changes.js'
import { createClock } from '../helper/clock.js'

const top = { offset: 3, epoch: 'e' }

t.test('permits one message about a channel a second, and any publication', async t => {
  const clock = createClock()
  const pacer = new PresencePacer(clock.now)
  const name = presenceChannelOf('c')
  t.equal(pacer.waitMs(name), 0)
  pacer.checked(name, top, undefined)
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
  for (let i = 0; i < maxPacedChannels; i++) pacer.checked(presenceChannelOf(`c${i}`), top, undefined)
  t.equal(pacer.waitMs(presenceChannelOf('c0')), 1000)
  pacer.checked(presenceChannelOf('one more'), top, undefined)
  t.equal(pacer.waitMs(presenceChannelOf('c0')), 0)
  t.equal(pacer.waitMs(presenceChannelOf('one more')), 1000)
})

t.test('knows the count that a session was sent, while it follows the changes from there', async t => {
  const pacer = new PresencePacer(createClock().now)
  const name = presenceChannelOf('c')
  t.equal(pacer.statedCount(name, top), undefined)
  pacer.checked(name, top, 4)
  t.equal(pacer.statedCount(name, { ...top }), 4)
  t.equal(pacer.statedCount(name, { ...top, offset: 4 }), undefined, 'it has left and joined again meanwhile')
  t.equal(pacer.statedCount(name, { ...top, epoch: 'f' }), undefined)
})
