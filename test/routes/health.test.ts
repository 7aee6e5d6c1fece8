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

t.test('bug: /readyz waited for the identity of a store that was known to be silent', async t => {
  const { store } = await stores.embedded(t, Date.now)
  const silent = { now: false }
  const ping = async () => {
    if (silent.now) throw new StoreUnavailable(new Error('no reply'))
  }
  const read = () => (silent.now ? new Promise<string | undefined>(() => {}) : store.pin.read())
  const gateway = await startGateway(t, { store: { ...store, ping, pin: { ...store.pin, read } } })
  silent.now = true
  const answer = await fetch(`${gateway.url}/readyz`)
  t.equal(answer.status, 503)
  t.match(await answer.json(), { checks: { store: 'no reply', identity: 'ok' } })
})

t.test('a slow store is shown, and still serves', async t => {
  const { store } = await stores.embedded(t, Date.now)
  const ping = () => new Promise<void>(resolve => setTimeout(resolve, 260))
  const gateway = await startGateway(t, { store: { ...store, ping } })
  const answer = await fetch(`${gateway.url}/readyz`)
  t.equal(answer.status, 200)
  t.match(await answer.json(), { status: 'slow', checks: { store: /^slow: answered after \d+ ms$/ } })
})

t.test('/metrics wants its token where one is set', async t => {
  const metricsToken = 'a-token-for-prometheus'
  const gateway = await startGateway(t, { config: { metricsToken } })
  const statusWith = async (token: string) =>
    (await fetch(`${gateway.url}/metrics`, { headers: token === '' ? {} : { authorization: `Bearer ${token}` } }))
      .status
  t.same(await Promise.all(['', 'wrong', `${metricsToken}x`, metricsToken].map(statusWith)), [401, 401, 401, 200])
  t.equal((await fetch(`${gateway.url}/livez`)).status, 200)
})

for (const [kind, open] of Object.entries(stores)) {
  t.test(`shows the durations of the store, and the use of each bound: ${kind}`, async t => {
    const { store } = await open(t, Date.now)
    const gateway = await startGateway(t, { store })
    await gateway.session(await gateway.createClient())
    const text = await (await fetch(`${gateway.url}/metrics`)).text()
    const verb = kind === 'redis' ? 'sessionOpen' : 'commit'
    t.match(text, new RegExp(`^countersign_store_duration_seconds_bucket\\{verb="${verb}",le="0.25"\\} [1-9]`, 'm'))
    t.match(text, new RegExp(`^countersign_store_duration_seconds_count\\{verb="${verb}"\\} [1-9]`, 'm'))
    t.match(text, /^countersign_subscriber_lag_seconds \d/m)
    t.match(text, /^countersign_oldest_request_seconds 0\.\d+/m, 'this request itself')
    t.match(text, /^nodejs_eventloop_lag_seconds /m)
    for (const bound of ['sessions', 'unverified_sockets', 'pending_body_bytes', 'quota_owners']) {
      t.match(text, new RegExp(`^countersign_bound_used\\{bound="${bound}"\\} \\d`, 'm'))
      t.match(text, new RegExp(`^countersign_bound_limit\\{bound="${bound}"\\} [1-9]`, 'm'))
    }
  })
}
