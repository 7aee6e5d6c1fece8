import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run, runGateway, tempDir } from '../../helper/process.js'
import { until } from '../../helper/until.js'
import { connectWire } from '../../helper/wire.js'
import { isRunning, startWorkers, workerSettings } from './helper.js'

/** How a gateway with several workers stops, and what keeps it from starting. */

/** An instance that goes on, so that a drain asks sessions to move there. @returns the settings of both */
async function startAnother(t: Test): Promise<Record<string, string>> {
  const settings = await workerSettings(t)
  await runGateway(t, join(tempDir(t), 'data'), settings)
  return settings
}

t.test('one SIGTERM drains all workers, and the exit code is 0', { timeout: 120_000 }, async t => {
  const settings = await startAnother(t)
  const { gateway, wsUrl, admin, pids, lines } = await startWorkers(t, 2, {
    ...settings,
    COUNTERSIGN_DRAIN_SECONDS: '2'
  })
  const { body: credential } = await admin('POST', '/clients', { clientId: 'game' })
  const wires = await Promise.all(Array.from({ length: 4 }, () => connectWire(t, wsUrl)))
  for (const wire of wires) {
    wire.authenticate(credential)
    await wire.next('welcome')
  }
  const processes = [...pids().values()]
  // As systemd does, and a terminal: every process of the group gets the signal, and the primary passes it on.
  for (const pid of processes) process.kill(pid, 'SIGTERM')
  gateway.child.kill('SIGTERM')
  for (const wire of wires) {
    await wire.next('reconnect')
    t.match(await wire.next('error'), { code: 'DRAINING' })
  }
  t.match(await gateway.ended, { code: 0, signal: null })
  t.equal(lines('stopping').length, 2)
  for (const pid of processes) t.notOk(isRunning(pid))
})

t.test('a second signal ends all workers at once', { timeout: 120_000 }, async t => {
  const settings = await startAnother(t)
  const { gateway, wsUrl, admin, pids, lines } = await startWorkers(t, 2, {
    ...settings,
    COUNTERSIGN_DRAIN_SECONDS: '600'
  })
  const { body: credential } = await admin('POST', '/clients', { clientId: 'game' })
  const wire = await connectWire(t, wsUrl)
  wire.authenticate(credential)
  await wire.next('welcome')
  gateway.child.kill('SIGINT')
  await wire.next('reconnect')
  await until('the primary has the first', () => lines('stopping all workers').length === 1)
  gateway.child.kill('SIGINT')
  t.match(await gateway.ended, { code: 1 })
  await until('no worker is left', () => [...pids().values()].every(pid => !isRunning(pid)))
})

t.test('workers drain when their primary is killed', { timeout: 120_000 }, async t => {
  const { gateway, wsUrl, admin, pids } = await startWorkers(t, 2, { COUNTERSIGN_DRAIN_SECONDS: '1' })
  const { body: credential } = await admin('POST', '/clients', { clientId: 'game' })
  const wire = await connectWire(t, wsUrl)
  wire.authenticate(credential)
  await wire.next('welcome')
  process.kill(gateway.child.pid ?? 0, 'SIGKILL')
  t.match(await wire.closed(), { code: 4512 })
  await until('no worker is left', () => [...pids().values()].every(pid => !isRunning(pid)))
})

t.test('a failure of the first worker is reported once, and ends the start', { timeout: 120_000 }, async t => {
  const settings = await workerSettings(t)
  const env = { ...settings, COUNTERSIGN_WORKERS: '3', COUNTERSIGN_PORT: '0' }
  const files = { COUNTERSIGN_TLS_CERT: 'nope.pem', COUNTERSIGN_TLS_KEY: 'nope.pem' }
  const withoutFiles = run(t, ['serve'], { ...env, ...files })
  t.match(await withoutFiles.ended, { code: 1 })
  t.match(withoutFiles.stderr(), /^countersign: could not start: ENOENT: .*nope\.pem.*\n$/)
  const { gateway } = await startWorkers(t, 2)
  const occupied = run(t, ['serve'], { ...env, COUNTERSIGN_PORT: new URL(gateway.url).port })
  t.match(await occupied.ended, { code: 1 })
  t.match(occupied.stderr(), /^countersign: 127\.0\.0\.1:\d+ is in use.+\n$/)
})

t.test('workers that end as soon as they start have an end', { timeout: 120_000 }, async t => {
  const folder = tempDir(t)
  const [flag, preload] = [join(folder, 'flag'), join(folder, 'end.mjs')]
  writeFileSync(
    preload,
    `import { existsSync } from 'node:fs'
    if (process.argv[1]?.endsWith('worker.js') && existsSync(${JSON.stringify(flag)})) process.exit(3)`
  )
  const { gateway, pids, lines } = await startWorkers(t, 2, { NODE_OPTIONS: `--import=file://${preload}` })
  t.notOk(existsSync(flag))
  writeFileSync(flag, '')
  for (const pid of pids().values()) process.kill(pid, 'SIGKILL')
  t.match(await gateway.ended, { code: 1 })
  t.match(lines('no worker serves, and the last 8 did not start: giving up'), [{ level: 60 }])
  t.equal(lines('a worker ends again and again: it is started every few seconds, without further lines').length, 2)
  t.ok(lines('a worker ended: another one starts in its place').length <= 4)
})

t.test('the embedded store serves one process', { timeout: 60_000 }, async t => {
  const dataDir = join(tempDir(t), 'data')
  const two = run(t, ['serve'], { COUNTERSIGN_WORKERS: '2', COUNTERSIGN_DATA_DIR: dataDir, COUNTERSIGN_PORT: '0' })
  t.match(await two.ended, { code: 1 })
  t.match(two.stderr(), /COUNTERSIGN_WORKERS: 2 workers need Redis, since the embedded store keeps .+ of one process/)
  t.notOk(existsSync(dataDir))
  const auto = run(t, ['serve', '--workers', 'auto'], { COUNTERSIGN_DATA_DIR: dataDir, COUNTERSIGN_PORT: '0' })
  await until('it listens', () => auto.stderr().includes('listening'))
  t.match(auto.stdout(), /COUNTERSIGN_WORKERS=auto: one process, since the embedded store serves one process/)
  auto.child.kill('SIGTERM')
  t.match(await auto.ended, { code: 0 })
})
