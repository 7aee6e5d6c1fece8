import { createHmac } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { type BridgeWire, connectBridge } from '../helper/bridge-wire.js'
import { adminOf, type RunningGateway, runGateway, tempDir } from '../helper/process.js'
import { type RedisServer, startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'
import { connectWire, type Message, type Wire } from '../helper/wire.js'

/**
 * No log, dump or error holds a secret. A gateway at log level trace handles every kind of secret, in valid and invalid
 * requests; then everything that was written anywhere is searched for each of them.
 */

const masterKey = Buffer.from('a master key of thirty-two bytes')
const adminToken = 'an-admin-token-of-forty-characters-0123'
const redisPassword = 'a-redis-password-7421'
/** Operators may see hwids, but neither a store nor a log shows them. */
const hwids = {
  'hwid on the ws': 'HWID-WS-7421',
  'hwid on the bridge': 'HWID-BRIDGE-7421',
  'banned hwid': 'HWID-BAN-7421'
}

/** A secret in the encodings in which it could leak. */
function formsOf(secret: string | Buffer): string[] {
  const bytes = Buffer.from(secret)
  const forms = [bytes.toString('hex'), bytes.toString('base64'), bytes.toString('base64url')]
  return typeof secret === 'string' ? [secret, ...forms] : forms
}

/** Sessions that are open, and the license key that they validate. */
interface Sessions {
  readonly wire: Wire
  readonly bridge: BridgeWire
  readonly key: string
}

const validateOn = (hwid: keyof typeof hwids, key: string): Message => ({
  ...{ type: 'validate', serviceId: 'svc', hwid: hwids[hwid], key }
})

/** Makes every request that handles a secret. @returns the secrets by name, and all answers that must not hold one */
async function exercise(t: Test, gateway: RunningGateway, token: string) {
  const secrets: Record<string, string | Buffer> = {}
  const answers: string[] = []
  const call = adminOf(gateway, token)
  const hush = async (...request: Parameters<typeof call>) => {
    const answer = await call(...request)
    answers.push(JSON.stringify(answer))
    return answer
  }
  const post = async (path: string, body: string, bearer = token) => {
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }
    answers.push(await (await fetch(gateway.url + path, { method: 'POST', headers, body })).text())
  }

  const client = await call('POST', '/clients', { clientId: 'game' })
  secrets['client secret'] = client.body.secret
  const rotated = await call('POST', '/clients/game/keys', { overlap: 60 })
  secrets['rotated secret'] = rotated.body.secret
  const license = await call('POST', '/licenses', { serviceId: 'svc', maxHwids: 5 })
  secrets['license key'] = license.body.key
  secrets['imported key'] = 'IMPORTED-KEY-0123456789'
  const { importId } = (await call('POST', '/imports')).body
  await hush('POST', `/imports/${importId}/licenses`, {
    licenses: [{ serviceId: 'svc', key: secrets['imported key'] }]
  })
  await hush('POST', `/imports/${importId}/commit`)
  const made = await call('POST', '/tokens', { name: 'web', scopes: ['tickets'], clients: ['*'] })
  secrets['API token'] = made.body.token
  const headers = { authorization: `Bearer ${made.body.token}`, 'content-type': 'application/json' }
  const asked = await fetch(`${gateway.url}/v1/tickets`, { method: 'POST', headers, body: '{"clientId":"visitor"}' })
  const ticket = await asked.json()
  secrets['ticket secret'] = ticket.secret

  const wsUrl = `${gateway.url.replace('http', 'ws')}/v1/ws`
  for (const [name, credential] of Object.entries({ client: client.body, ticket })) {
    const wire = await connectWire(t, wsUrl)
    wire.authenticate(credential)
    await wire.next('welcome')
    secrets[`${name} session key up`] = wire.keys.client
    secrets[`${name} session key down`] = wire.keys.server
    for (const key of [license.body.key, secrets['imported key']]) {
      answers.push(
        JSON.stringify(await wire.ask({ type: 'validate', serviceId: 'svc', hwid: hwids['hwid on the ws'], key }))
      )
    }
    // Secrets in the wrong members of frames that are refused.
    answers.push(JSON.stringify(await wire.ask({ type: 'validate', serviceId: credential.secret, key: 5 })))
    answers.push(JSON.stringify(await wire.ask({ type: 'subscribe', channel: `${credential.secret} ` })))
    wire.raw(wire.sign({ type: 'heartbeat', seq: 99, secret: credential.secret }))
    answers.push(await wire.nextText())
  }
  const lasting = await call('POST', '/clients', { clientId: 'lasting' })
  secrets['lasting secret'] = lasting.body.secret
  const { key } = license.body
  const sessions: Sessions = { wire: await connectWire(t, wsUrl), bridge: await connectBridge(gateway.url), key }
  for (const wire of [sessions.wire, sessions.bridge]) {
    wire.authenticate(lasting.body)
    await wire.next('welcome')
    const name = wire === sessions.wire ? 'ws' : 'bridge'
    secrets[`lasting ${name} session key up`] = wire.keys.client
    secrets[`lasting ${name} session key down`] = wire.keys.server
    answers.push(JSON.stringify(await wire.ask(validateOn(`hwid on the ${name}`, key))))
  }
  await call('PUT', `/licenses/${license.body.licenseId}/hwids/${hwids['banned hwid']}`, { banned: true })
  const impostor = await connectWire(t, wsUrl)
  impostor.authenticate({ clientId: 'game', secret: rotated.body.secret.slice(0, -1) })
  answers.push(await impostor.nextText())
  secrets['a secret that is nearly right'] = rotated.body.secret.slice(0, -1)

  // Requests with secrets that fail.
  await post('/v1/admin/clients', JSON.stringify({ clientId: client.body.secret, nonsense: license.body.key }))
  await post('/v1/admin/licenses', `{"serviceId":"svc","key":"${license.body.key}"`)
  await post('/v1/admin/licenses', JSON.stringify({ serviceId: 'svc', key: license.body.key }))
  await post('/v1/tickets', '{"clientId":"a","subscribe":["*"]}', made.body.token)
  await post('/v1/admin/clients', '{}', `${made.body.token}x`)
  for (const path of ['/clients', '/clients/game', '/licenses', '/tokens', '/sessions', '/audit?limit=1000']) {
    await hush('GET', path)
  }
  await hush('DELETE', `/clients/game/keys/${client.body.keyId}`)
  await hush('GET', '/metrics')
  return { secrets, answers, sessions }
}

/** Requests that fail since Redis is away, on both transports and over HTTP; then Redis returns. */
async function exerciseOutage(gateway: RunningGateway, redis: RedisServer, { wire, bridge, key }: Sessions) {
  const answers: string[] = []
  await redis.kill()
  answers.push(JSON.stringify(await wire.ask(validateOn('hwid on the ws', key))))
  const { type, ...members } = validateOn('hwid on the bridge', key)
  const line = bridge.sign({ type, seq: bridge.seq++, ...members })
  answers.push((await bridge.exchange([line])).text)
  const call = adminOf(gateway, adminToken)
  answers.push(JSON.stringify(await call('POST', '/clients', {})), JSON.stringify(await call('GET', '/licenses')))
  // It comes back without a password, and refuses the one that it gets.
  await redis.start()
  await until('the gateway is ready', async () => (await fetch(`${gateway.url}/readyz`)).ok)
  return answers
}

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
}

function search(t: Test, secrets: Record<string, string | Buffer>, places: Record<string, string>): void {
  for (const [name, secret] of Object.entries(secrets)) {
    for (const [place, text] of Object.entries(places)) {
      for (const form of formsOf(secret)) if (text.includes(form)) t.fail(`${name} is in ${place}`)
    }
  }
  t.ok(
    Object.keys(secrets).length > 8 && Object.values(places).every(text => text.length > 100),
    'the secrets and the texts to search are complete'
  )
}

t.test('embedded', async t => {
  const dataDir = tempDir(t)
  const env = { COUNTERSIGN_MASTER_KEY: masterKey.toString('base64'), COUNTERSIGN_LOG_LEVEL: 'trace' }
  const gateway = await runGateway(t, dataDir, env)
  const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()
  const { secrets, answers } = await exercise(t, gateway, token)
  gateway.child.kill('SIGTERM')
  await gateway.ended
  const own = { ...secrets, 'master key': masterKey, 'admin token': token }
  const log = gateway.stdout() + gateway.stderr()
  const database = readFileSync(join(dataDir, 'countersign.mdb'))
  const inStore = { ...secrets, ...hwids, 'master key': masterKey }
  search(t, own, { 'an answer': answers.join('\n') })
  search(t, { ...own, ...hwids }, { 'the log': log })
  search(t, inStore, { 'the database': database.toString('latin1') })
})

t.test('Redis: neither its append-only file, nor its dump, nor a log line during an outage', async t => {
  const redis = await startRedis(['--appendonly', 'yes', '--save', ''])
  t.teardown(() => redis.stop())
  const admin = new Redis(redis.url)
  await admin.config('SET', 'requirepass', redisPassword)
  admin.disconnect()
  const gateway = await runGateway(t, tempDir(t), {
    COUNTERSIGN_STORE: redis.url.replace('//', `//:${redisPassword}@`),
    COUNTERSIGN_MASTER_KEY: masterKey.toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: adminToken,
    COUNTERSIGN_LOG_LEVEL: 'trace'
  })
  const { secrets, answers, sessions } = await exercise(t, gateway, adminToken)
  answers.push(...(await exerciseOutage(gateway, redis, sessions)))
  t.match(answers.slice(-4), [/UNAVAILABLE/, /UNAVAILABLE/, /UNAVAILABLE/, /UNAVAILABLE/])
  const own = { ...secrets, 'master key': masterKey, 'admin token': adminToken, 'password of Redis': redisPassword }
  gateway.child.kill('SIGTERM')
  await gateway.ended
  const client = new Redis(redis.url)
  await client.save()
  client.disconnect()
  await redis.kill()
  const dumps = filesIn(redis.dir).map(file => readFileSync(file).toString('latin1'))
  t.match(dumps.join('\n'), /license\.bind/, 'the append-only file holds the commands')
  search(t, own, { 'an answer': answers.join('\n') })
  search(
    t,
    { ...own, ...hwids },
    { 'the log': gateway.stdout() + gateway.stderr(), 'a file of Redis': dumps.join('\n') }
  )
})

t.test('the search finds a secret in every encoding', async t => {
  const key = createHmac('sha256', 'k').update('x').digest()
  for (const form of formsOf(key)) t.ok(`log ${form} log`.includes(form))
  t.match(formsOf('a secret'), ['a secret'])
})
