import t from 'tap'
import { frame, longPoll, open, startTwo, untilHeld } from '../bridge/harness.js'
import { stores } from '../helper/stores.js'
import { connectWire } from '../helper/wire.js'

/** Calls of a caller whose poll is held while it calls (PROTOCOL §16.1). */

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`bug: a poll that was held before a call brings its time-out in time, ${kind}`, async t => {
    const two = await startTwo(t, openStore)
    const { gateway, other, clock } = two
    const game = await connectWire(t, gateway.wsUrl)
    game.authenticate(await gateway.createClient({ clientId: 'game' }))
    await game.next('welcome')
    const wire = await open(two, await gateway.createClient({ call: ['game/*'] }))
    for (const { url, app } of [gateway, other]) {
      const held = longPoll(wire, { url })
      await untilHeld({ ...gateway, app }, 1)
      const call = { type: 'call', to: { clientId: 'game' }, method: 'kick', timeoutMs: 100 }
      t.match((await wire.exchange([frame(wire, call)])).frames, [{ type: 'polled' }], 'it holds up nothing')
      await game.next('call')
      clock.advance(101)
      t.match((await held).frames, [{ code: 'CALL_TIMEOUT', outcome: 'unknown' }, { type: 'polled' }])
    }
  })
}
