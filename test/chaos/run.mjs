// The bridge over three gateways that are killed, through a network that loses, repeats and reorders requests:
// `npm run test:cluster`, in full `npm run test:cluster -- --messages 20000 --seconds 240`. The last line is
// `N passed, N failed`.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { cleanUp, createGateway, pause, startRedis, until } from '../helper/processes.mjs'
import { startBeats } from './beats.mjs'
import { openBridge } from './bridge-client.mjs'
import { startKilling } from './killer.mjs'
import { createLedger } from './ledger.mjs'
import { createNetwork, seeded } from './network.mjs'
import { openObserver } from './observer.mjs'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '2000' },
    /** Seconds over which the messages are spread. */
    seconds: { type: 'string', default: '40' },
    'kill-seconds': { type: 'string', default: '10' },
    seed: { type: 'string', default: `${randomInt(2 ** 31)}` }
  }
})
const wanted = Number(values.messages)
const spreadMs = Number(values.seconds) * 1000
const killMs = Number(values['kill-seconds']) * 1000
/** For the rest after everything was sent, on a slow machine. */
const patienceMs = 120_000
const startMs = 120_000
const reportMs = 5_000
const tickMs = 20
const gatewayCount = 3
/** Messages and publications that may be unanswered at once. */
const windowSize = 256
const maxFailures = 10

for (const [name, value] of [
  ['--messages', wanted],
  ['--seconds', spreadMs],
  ['--kill-seconds', killMs]
]) {
  if (!Number.isSafeInteger(value) || value < 1) {
    process.stderr.write(`test:cluster: ${name} must be a positive number\n`)
    process.exit(1)
  }
}
if (spawnSync('redis-server', ['--version']).error !== undefined) {
  process.stderr.write('test:cluster needs redis-server (apt-get install redis-server)\n')
  process.exit(1)
}
process.once('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
setTimeout(
  () => {
    process.stderr.write('test:cluster took too long\n')
    process.exit(1)
  },
  startMs + spreadMs + patienceMs + 60_000
).unref()

const token = randomBytes(32).toString('base64url')
const failures = []
const began = Date.now()
let isOver = false

function fail(what) {
  if (failures.length < maxFailures) failures.push(what)
}

async function makeClient(url, clientId, permissions) {
  const response = await fetch(`${url}/v1/admin/clients`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId, ...permissions }),
    signal: AbortSignal.timeout(10_000)
  })
  const answer = await response.json()
  assert.equal(response.status, 201, JSON.stringify(answer))
  const { keyId, secret } = answer
  return { clientId, keyId, secret }
}

/** Publishes `wanted` messages, spread over the time, at most `windowSize` unanswered. @returns the answers, in order */
async function publishAll(peer, channel) {
  const answers = []
  const start = Date.now()
  for (let n = 1; n <= wanted && !isOver; n++) {
    while (Date.now() - start < ((n - 1) / wanted) * spreadMs && !isOver) await pause(tickMs)
    await peer.untilOpenAtMost(windowSize)
    answers.push(peer.request({ type: 'publish', channel, data: { n } }))
  }
  return Promise.all(answers)
}

function assertPublished(answers = []) {
  assert.equal(answers.length, wanted)
  for (const [index, { type, code, offset }] of answers.entries()) {
    assert.equal(type, 'published', `message ${index + 1}: ${code}`)
    if (index > 0) assert.equal(offset, answers[index - 1].offset + 1, `message ${index + 1}`)
  }
}

async function join(peer, channel) {
  const { type, code } = await peer.request({ type: 'subscribe', channel })
  assert.equal(type, 'subscribed', code)
}

const counts = { passed: 0, failed: 0 }
function check(name, run) {
  try {
    const note = run()
    counts.passed++
    process.stdout.write(`ok      ${name}${note === undefined ? '' : ` (${note})`}\n`)
  } catch (error) {
    counts.failed++
    process.stdout.write(`FAILED  ${name}\n        ${error.message.replaceAll('\n', '\n        ')}\n`)
  }
}

try {
  const settings = {
    COUNTERSIGN_STORE: await startRedis(),
    COUNTERSIGN_MASTER_KEY: randomBytes(32).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: token,
    COUNTERSIGN_RATE_LIMIT: 'off',
    COUNTERSIGN_HISTORY_SIZE: '8192',
    COUNTERSIGN_FRESH_CHALLENGE_SECONDS: '15'
  }
  const steady = await createGateway(settings)
  await steady.start()
  const gateways = await Promise.all(Array.from({ length: gatewayCount }, () => createGateway(settings)))
  await Promise.all(gateways.map(gateway => gateway.start()))

  const effects = createLedger('effects', fail)
  const delivered = createLedger('publications', fail)
  const observer = await openObserver({
    url: `ws://127.0.0.1:${steady.port}/v1/ws`,
    credential: await makeClient(steady.url, 'observer', { subscribe: ['up'], publish: ['down'] }),
    onPublication: effects.add,
    onFailure: fail
  })
  await join(observer, 'up')
  const seed = Number(values.seed)
  const network = createNetwork(
    gateways.map(({ url }) => url),
    seeded(seed)
  )
  const bridge = await openBridge({
    send: network.send,
    random: seeded(seed + 1),
    credential: await makeClient(steady.url, 'server', { subscribe: ['down'], publish: ['up'] }),
    onPublication: delivered.add,
    onFailure: fail
  })
  await join(bridge, 'down')
  const heard = createLedger('publications beside heartbeats', fail)
  const beats = await startBeats({
    ...{ urls: gateways.map(({ url }) => url), seed: seed + 2, onPublication: heard.add, onFailure: fail },
    credential: await makeClient(steady.url, 'beats', { subscribe: ['down'] })
  })
  process.stdout.write(`seed ${seed}: ${wanted} up and ${wanted} down over ${spreadMs / 1000} s\n`)

  const killer = startKilling(gateways, killMs, fail)
  const reporter = setInterval(() => {
    const seconds = Math.round((Date.now() - began) / 1000)
    const { exchanges, failed } = bridge.counts
    process.stdout.write(
      `${seconds} s: up ${effects.count}, down ${delivered.count} of ${wanted}; ${exchanges} exchanges, ${failed} failed; ` +
        `${killer.kills} killed\n`
    )
  }, reportMs)
  const up = publishAll(bridge, 'up')
  const down = publishAll(observer, 'down')
  await Promise.race([
    Promise.all([up, down]),
    until('all is answered', spreadMs + patienceMs, () => failures.length > 0)
  ])
  await until(
    'all has arrived',
    patienceMs,
    () => failures.length > 0 || (effects.count === wanted && delivered.count === wanted)
  )
  // One more on each channel: a repeated message would arrive before it.
  const published = failures.length > 0 ? undefined : await up
  const given = failures.length > 0 ? undefined : await down
  if (failures.length === 0) {
    await Promise.all([
      bridge.request({ type: 'publish', channel: 'up', data: { n: wanted + 1 } }),
      observer.request({ type: 'publish', channel: 'down', data: { n: wanted + 1 } })
    ])
    await until('the last one', patienceMs, () => effects.count > wanted && delivered.count > wanted)
    await until('it everywhere', patienceMs, () => heard.count > wanted)
  }
  clearInterval(reporter)
  const beaten = failures.length > 0 ? 0 : await beats.stop()
  isOver = true
  await killer.stop()
  bridge.close()
  observer.close()

  check('one session lasts from start to end without a fault', () => assert.deepEqual(failures, []))
  check(`${wanted} messages up: each effect once, in order`, () => assert.equal(effects.count, wanted + 1))
  check(`${wanted} messages up: each answered once, at its offset`, () => assertPublished(published))
  check(`${wanted} publications were accepted`, () => assertPublished(given))
  check(`${wanted} publications down: each once, in order`, () => assert.equal(delivered.count, wanted + 1))
  check('heartbeats: each answered once, and publications beside them once, in order', () => {
    const { holes, spare, repeated } = beats.counts
    assert.deepEqual({ holes, spare, heard: heard.count }, { holes: 0, spare: 0, heard: wanted + 1 })
    assert.ok(beaten > 0 && repeated > 0)
    return `${beaten} heartbeats, ${repeated} frames repeated`
  })
  check('no answer has a hole, and no message two answers', () => {
    const { holes, spare, repeated } = bridge.counts
    assert.deepEqual({ holes, spare }, { holes: 0, spare: 0 })
    return `${repeated} frames repeated, byte for byte`
  })
  check('each kind of fault occurred', () => {
    const { lost, dropped, duplicated, overtaken } = network.counts
    const seconds = (Date.now() - began) / 1000
    assert.ok(
      Math.min(lost, dropped, duplicated, overtaken, bridge.counts.repeated) > 0,
      JSON.stringify(network.counts)
    )
    assert.ok(killer.kills > 0, 'none was killed')
    return `${JSON.stringify({ ...network.counts, ...bridge.counts, killed: killer.kills })} in ${seconds.toFixed(0)} s`
  })
} catch (error) {
  counts.failed++
  process.stdout.write(`FAILED  ${error.stack}\n        ${failures.join('\n        ')}\n`)
}
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`)
process.exit(counts.failed === 0 ? 0 : 1)
