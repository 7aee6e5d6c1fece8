import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { adminOf, runGateway, tempDir } from '../helper/process.js'
import { until } from '../helper/until.js'
import { connectWire } from '../helper/wire.js'

/** Longer than the timeout, so that only the grace after the pause can save the session. */
const stoppedMs = 14_000
const timeoutSeconds = 12

t.test('SIGSTOP for 14 s ends no session whose peer was in time', async t => {
  const gateway = await runGateway(t, tempDir(t), {
    COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS: '1',
    COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: String(timeoutSeconds)
  })
  const credential = (await adminOf(gateway)('POST', '/clients', { clientId: 'game' })).body
  const open = async () => {
    const wire = await connectWire(t, `${gateway.url.replace('http', 'ws')}/v1/ws`)
    wire.authenticate(credential)
    await wire.next('welcome')
    return wire
  }
  const [punctual, silent] = [await open(), await open()]
  const { pid = 0 } = gateway.child
  process.kill(pid, 'SIGSTOP')
  t.teardown(() => gateway.child.kill('SIGCONT'))
  // The pause itself is what is tested: no clock can be moved for it.
  await setTimeout(stoppedMs)
  process.kill(pid, 'SIGCONT')
  await until('the pause is logged', () => /this process was paused for \d+\.\d s/.test(gateway.stdout()))
  t.match(await punctual.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'its session goes on')
  const beats = setInterval(() => punctual.send({ type: 'heartbeat' }), 1000)
  t.teardown(() => clearInterval(beats))
  t.match(await silent.next('error'), { code: 'HEARTBEAT_LOST' }, 'a peer that stays silent is lost after the grace')
  t.equal(punctual.socket.readyState, punctual.socket.OPEN)
})
