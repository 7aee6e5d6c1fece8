import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { adminOf, run, runGateway, tempDir } from '../helper/process.js'
import { freePort } from '../helper/redis-server.js'
import { redisUrl } from '../helper/stores.js'
import { connectWire } from '../helper/wire.js'

const masterKey = Buffer.alloc(32, 3).toString('base64')
const adminToken = 'an-admin-token-of-forty-characters-0123'

t.test('the first start creates keys and data and prints what to do next; the second reuses them', async t => {
  const dataDir = join(tempDir(t), 'data')
  const first = await runGateway(t, dataDir)
  t.match(first.stderr(), /Countersign is listening on http:\/\/127\.0\.0\.1:\d+/)
  t.match(first.stderr(), /admin token .*admin\.token/)
  t.match(first.stderr(), /\/demo/)
  for (const name of ['master.key', 'admin.token', 'countersign.mdb']) {
    t.equal(statSync(join(dataDir, name)).mode & 0o777, 0o600, name)
  }
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
  const secrets = ['master.key', 'admin.token'].map(name => readFileSync(join(dataDir, name), 'utf8').trim())
  const made = await adminOf(first)('POST', '/clients', { clientId: 'game' })
  t.equal(made.status, 201)
  for (const secret of [...secrets, made.body.secret]) t.notOk((first.stdout() + first.stderr()).includes(secret))
  first.child.kill('SIGTERM')
  t.match(await first.ended, { code: 0 })

  const second = await runGateway(t, dataDir)
  t.equal((await adminOf(second)('GET', '/clients/game')).status, 200)
  const wire = await connectWire(t, `${second.url.replace('http', 'ws')}/v1/ws`)
  wire.authenticate(made.body)
  t.match(await wire.next('welcome'), { clientId: 'game' }, 'its secret is still valid')
  second.child.kill('SIGINT')
  t.match(await wire.next('error'), { code: 'DRAINING' })
  t.match(await second.ended, { code: 0 })
  t.notOk(second.stdout().includes(made.body.secret), 'no secret in the log')
})

t.test('a second process on the same data folder is refused with one line', async t => {
  const dataDir = tempDir(t)
  await runGateway(t, dataDir)
  const other = run(t, ['serve', '--port', '0', '--data-dir', dataDir])
  t.match(await other.ended, { code: 1 })
  t.match(other.stderr(), /^countersign: another countersign process uses .+\n$/)
})

t.test('a port in use is refused with one line, and the folder is free again', async t => {
  const dataDir = tempDir(t)
  const { url } = await runGateway(t, tempDir(t))
  const other = run(t, ['serve', '--port', new URL(url).port, '--data-dir', dataDir])
  t.match(await other.ended, { code: 1 })
  t.match(other.stderr(), /^countersign: 127\.0\.0\.1:\d+ is in use.+\n$/)
  await runGateway(t, dataDir)
})

t.test('reports all wrong settings in one message', async t => {
  const bad = run(t, ['--port', 'x'], { COUNTERSIGN_PROT: '1', COUNTERSIGN_STORE: 'redis://127.0.0.1:1' })
  t.match(await bad.ended, { code: 1 })
  for (const name of ['COUNTERSIGN_PROT', 'COUNTERSIGN_PORT', 'COUNTERSIGN_MASTER_KEY', 'COUNTERSIGN_ADMIN_TOKEN']) {
    t.match(bad.stderr(), name)
  }
  t.equal(bad.stdout(), '')
})

t.test('reads .env, after the environment and options', async t => {
  const cwd = tempDir(t)
  const [fromFile, fromEnvironment] = [await freePort(), await freePort()]
  writeFileSync(join(cwd, '.env'), `COUNTERSIGN_PORT=${fromFile}\nCOUNTERSIGN_DATA_DIR=from-file\n`)
  const port = String(fromEnvironment)
  const program = run(t, [], { COUNTERSIGN_PORT: port, COUNTERSIGN_LOG_LEVEL: 'warn' }, cwd)
  while (!program.stderr().includes('health')) await once(program.child.stderr ?? program.child, 'data')
  t.match(program.stderr(), `127.0.0.1:${port}`)
  t.ok(existsSync(join(cwd, 'from-file/master.key')))
})

t.test('names an unusable file or folder in one line', async t => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'a-file'), '')
  const cases = [
    { COUNTERSIGN_DATA_DIR: join(dir, 'a-file') },
    { COUNTERSIGN_DATA_DIR: join(dir, 'd'), COUNTERSIGN_TLS_CERT: 'nope.pem', COUNTERSIGN_TLS_KEY: 'nope.pem' }
  ]
  for (const env of cases) {
    const program = run(t, ['--port', '0'], env)
    t.match(await program.ended, { code: 1 })
    t.match(program.stderr(), /^countersign: could not start: E[A-Z]+: .*(a-file|nope\.pem).*\n$/)
  }
})

t.test('refuses a master key that does not open the store, in one line', async t => {
  const dataDir = tempDir(t)
  const first = await runGateway(t, dataDir)
  first.child.kill('SIGTERM')
  await first.ended
  const other = run(t, ['--port', '0', '--data-dir', dataDir], { COUNTERSIGN_MASTER_KEY: masterKey })
  t.match(await other.ended, { code: 1 })
  t.match(other.stderr(), /none of the master keys opens this store/)
})

t.test('several instances share one Redis', async t => {
  const env = { COUNTERSIGN_STORE: redisUrl(), COUNTERSIGN_MASTER_KEY: masterKey, COUNTERSIGN_ADMIN_TOKEN: adminToken }
  const [a, b] = await Promise.all([runGateway(t, tempDir(t), env), runGateway(t, tempDir(t), env)])
  const clientId = `shared-${process.pid}`
  const made = await adminOf(a, adminToken)('POST', '/clients', { clientId })
  t.equal(made.status, 201)
  const wire = await connectWire(t, `${b.url.replace('http', 'ws')}/v1/ws`)
  wire.authenticate(made.body)
  t.match(await wire.next('welcome'), { clientId })
  const began = performance.now()
  await adminOf(a, adminToken)('DELETE', `/clients/${clientId}`)
  t.match(await wire.next('error'), { code: 'SESSION_REVOKED' })
  t.ok(performance.now() - began < 10_000, 'ended by the change notification or the next refresh, not by a heartbeat')
  t.notOk((a.stdout() + b.stdout()).includes(made.body.secret))
})

t.test('stops within seconds although clients keep connections open', async t => {
  const gateway = await runGateway(t, tempDir(t))
  const { hostname, port } = new URL(gateway.url)
  const idle = connect(Number(port), hostname)
  await once(idle, 'connect')
  idle.on('error', () => {})
  idle.write('GET /livez HTTP/1.1\r\nhost: x\r\n')
  const wire = await connectWire(t, `${gateway.url.replace('http', 'ws')}/v1/ws`)
  wire.socket.pause()
  const began = performance.now()
  gateway.child.kill('SIGTERM')
  t.match(await gateway.ended, { code: 0 })
  t.ok(performance.now() - began < 20_000, 'not by an HTTP timeout')
  idle.destroy()
})

t.test('shows help and its version', async t => {
  const help = run(t, ['--help'])
  t.match(await help.ended, { code: 0 })
  t.match(help.stdout(), /countersign \[serve\]/)
  t.match(help.stdout(), /--data-dir/)
  const version = run(t, ['version'])
  t.match(await version.ended, { code: 0 })
  t.match(version.stdout(), /^\d+\.\d+\.\d+\n$/)
  const unknown = run(t, ['dance'])
  t.match(await unknown.ended, { code: 2 })
  t.match(unknown.stderr(), /unknown command 'dance'/)
})
