import t from 'tap'
import { StoreUnavailable } from '../../src/store/store.js'
import { startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'

t.test('reports health and metrics', async t => {
  const { store } = await stores.embedded(t, Date.now)
  const unavailable = { now: false }
  const ping = async () => {
    if (unavailable.now) throw new StoreUnavailable(new Error('gone'))
  }
  const gateway = await startGateway(t, { store: { ...store, ping } })
  const get = async (path: string) => {
    const answer = await fetch(gateway.url + path)
    return { status: answer.status, text: await answer.text() }
  }
  t.equal((await get('/livez')).status, 200)
  t.equal((await get('/readyz')).status, 200)
  unavailable.now = true
  t.match(await get('/readyz'), { status: 503, text: /"store":"gone"/ })
  t.equal((await get('/livez')).status, 200, 'a restart would not repair the store')
  unavailable.now = false
  t.equal((await get('/readyz')).status, 200)
  const wire = await gateway.session(await gateway.createClient())
  await wire.ask({ type: 'validate', serviceId: 's', key: 'k' })
  const { text } = await get('/metrics')
  for (const line of [
    'countersign_sessions 1',
    'countersign_handshakes_total{result="welcome"} 1',
    'countersign_frames_received_total{type="validate"} 1',
    'countersign_validations_total{code="NOT_FOUND"} 1'
  ]) {
    t.ok(text.includes(line), line)
  }
})
