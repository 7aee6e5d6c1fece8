import t from 'tap'
import { DeliveryTicket } from '../../src/bridge/delivery.js'

t.test('delivers in the answer for as long as the exchange waits', async t => {
  const ticket = new DeliveryTicket(true)
  t.equal(ticket.delivery, 'inAnswer')
  ticket.close()
  t.equal(ticket.delivery, 'wakeHeldPoll')
  ticket.close()
  t.equal(ticket.delivery, 'wakeHeldPoll', 'closing twice changes nothing')
})

t.test('wakes the held poll when the exchange returns no frames', async t => {
  t.equal(new DeliveryTicket(false).delivery, 'wakeHeldPoll')
})
