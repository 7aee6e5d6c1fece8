import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createClient } from '../../../src/client/node.js'
import { tempDir } from '../../helper/process.js'
import { writeTlsFiles } from '../../helper/tls-files.js'
import { until } from '../../helper/until.js'
import { connectWire, type Wire } from '../../helper/wire.js'
import { adminToken, startWorkers, type Workers } from './helper.js'

/** Several workers behind one port. */

async function connectSessions(t: Test, { admin, wsUrl }: Workers, count: number): Promise<Wire[]> {
  const { body: credential } = await admin('POST', '/clients', { clientId: 'wires', subscribe: ['*'], publish: ['*'] })
  const wires: Wire[] = []
  for (let i = 0; i < count; i++) {
    const wire = await connectWire(t, wsUrl)
    wire.authenticate(credential)
    await wire.next('welcome')
    wires.push(wire)
  }
  return wires
}

async function instancesOf({ admin }: Workers): Promise<Set<string>> {
  const { body } = await admin('GET', '/sessions')
  return new Set(body.items.map(({ instanceId }: { instanceId: string }) => instanceId))
}

t.test('workers share a port, and sessions on all of them see each other', { timeout: 120_000 }, async t => {
  const workers = await startWorkers(t, 3)
  t.match(workers.gateway.stderr(), /workers +3 processes/)
  t.equal(new Set(workers.pids().values()).size, 3)
  const wires = await connectSessions(t, workers, 6)
  t.equal((await instancesOf(workers)).size, 3, 'connections are dealt in turn')
  for (const wire of wires) await wire.ask({ type: 'subscribe', channel: 'news' })
  const [publisher] = wires
  publisher?.send({ type: 'publish', channel: 'news', data: 'hello' })
  for (const wire of wires.slice(1)) t.match(await wire.next('publication'), { channel: 'news', data: 'hello' })
})

t.test('a killed worker is replaced at once, and its clients lose nothing', { timeout: 120_000 }, async t => {
  const workers = await startWorkers(t, 2)
  const { admin, wsUrl, gateway } = workers
  const { body: credential } = await admin('POST', '/clients', { clientId: 'game', subscribe: ['news'] })
  const received = new Map<number, number[]>()
  const clients = Array.from({ length: 6 }, (_, i) => {
    const client = createClient({ url: wsUrl, credential })
    const numbers: number[] = []
    received.set(i, numbers)
    client.on('trouble', () => {})
    const { ready } = client.subscribe<number>('news', ({ data }) => void numbers.push(data))
    client.connect()
    t.teardown(() => client.close())
    return Object.assign(client, { ready })
  })
  let published = 0
  async function publish(): Promise<void> {
    const answer = await fetch(`${gateway.url}/v1/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel: 'news', data: published, idempotencyKey: `n-${published}` })
    }).catch(() => undefined)
    if (answer?.ok) published++
  }
  const hasAll = () => [...received.values()].every(numbers => numbers.length >= published)
  await Promise.all(clients.map(({ ready }) => ready))
  while (published < 20) await publish()
  await until('all have received', hasAll)

  let isOver = false
  const publishing = (async () => {
    while (!isOver) await publish()
  })()
  // As soon as the machine can start a process: a second or two, if it has nothing else to do.
  await workers.replace(1)
  const line = workers.lines('a worker ended: another one starts in its place')
  t.match(line, [{ worker: 1, signal: 'SIGKILL', delayMs: 0 }])
  await until('all are connected again', () => clients.every(({ state }) => state === 'connected'))
  isOver = true
  await publishing
  await until('all have received the rest', hasAll)
  const all = Array.from({ length: published }, (_, n) => n)
  for (const numbers of received.values()) t.same(numbers, all, 'each once, in order')

  const newest = String(workers.lines('a worker serves').at(-1)?.['instanceId'])
  await connectSessions(t, workers, 4)
  t.ok((await instancesOf(workers)).has(newest), 'the new worker takes sessions')
})

t.test('SIGHUP reaches every worker, and one that starts later', { timeout: 120_000 }, async t => {
  const cwd = tempDir(t)
  writeFileSync(join(cwd, '.env'), 'COUNTERSIGN_LOG_LEVEL=info\n')
  const { gateway, lines, replace, pids } = await startWorkers(t, 2, { COUNTERSIGN_LOG_LEVEL: undefined }, cwd)
  writeFileSync(join(cwd, '.env'), 'COUNTERSIGN_LOG_LEVEL=debug\n')
  gateway.child.kill('SIGHUP')
  await until('all have read it', () => lines('the log level was changed').length === 3)
  const changed = lines('the log level was changed')
  t.same(changed.map(({ worker }) => worker).sort(), [1, 2, undefined])
  gateway.child.kill('SIGUSR2')
  await until(
    'SIGUSR2 is ignored',
    () => lines('SIGUSR2 is ignored: SIGHUP reads certificates and the log level').length === 1
  )
  await replace(2)
  t.equal(pids().size, 2)
  const isDebug = () =>
    gateway
      .stdout()
      .split('\n')
      .some(line => /"level":20,.*"worker":2/.test(line))
  await until('a line at debug', async () => {
    await fetch(`${gateway.url}/livez`, { headers: { connection: 'close' } })
    return isDebug()
  })
})

t.test('bug: after a bad certificate on disk a killed worker was not replaced', { timeout: 120_000 }, async t => {
  const { cert, key } = writeTlsFiles(tempDir(t))
  const settings = { COUNTERSIGN_TLS_CERT: cert, COUNTERSIGN_TLS_KEY: key }
  const { gateway, lines, replace, pids } = await startWorkers(t, 2, settings)
  writeFileSync(cert, 'no certificate')
  gateway.child.kill('SIGHUP')
  await until('both keep the old one', () => gateway.stdout().split('the old certificate stays').length === 3)
  const before = pids().get(2)
  await replace(2)
  t.not(pids().get(2), before)
  t.equal(lines('a worker serves').length, 3, 'its replacement has the old one, too')
})
