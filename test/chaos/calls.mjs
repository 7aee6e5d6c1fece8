// Calls between every two transports over gateways that are killed in the middle: `npm run test:calls`, in full
// `npm run test:calls -- --tries 1000`. Each call runs at most once, and its answer is true or honestly unknown. The last
// line is `N passed, N failed`.
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { cleanUp, createGateway, pause, startRedis, until } from '../helper/processes.mjs'
import { openBridge } from './bridge-client.mjs'
import { LostError, seeded } from './network.mjs'
import { openWsPeer, SessionLost } from './ws-peer.mjs'

const { values } = parseArgs({
  options: {
    /** Calls that are open while a gateway is killed. */
    tries: { type: 'string', default: '120' },
    seed: { type: 'string', default: `${randomInt(2 ** 31)}` }
  }
})
const wanted = Number(values.tries)
if (!Number.isSafeInteger(wanted) || wanted < 1) {
  process.stderr.write('test:calls: --tries must be a positive number\n')
  process.exit(1)
}
const seed = Number(values.seed)
const random = seeded(seed)
const callsPerPair = 5
/** Over which the calls of a round begin, and within which the gateway is killed. */
const spreadMs = 250
/** How long a receiver works on a call, at most. */
const workMs = 120
const timeoutMs = 4000
/** A time-out may be declared 2 s late (PROTOCOL §16.1). */
const lateMs = 2000
/** For a reply on a slow machine. */
const patienceMs = 30_000
const maxFailures = 10

process.once('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
const hardStop = setTimeout(
  () => {
    process.stderr.write('test:calls took too long\n')
    process.exit(1)
  },
  120_000 + wanted * 1000
)
hardStop.unref()

const token = randomBytes(32).toString('base64url')
const failures = []
const fail = what => void (failures.length < maxFailures && failures.push(what))
/** By the number of a call: how often it ran. */
const runs = new Map()
const outcomes = { called: 0, CALL_TIMEOUT: 0, UNAVAILABLE: 0, NO_RECEIVER: 0, RATE_LIMITED: 0, repeated: 0 }

async function makeClient(url, clientId, permissions) {
  const response = await fetch(`${url}/v1/admin/clients`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId, ...permissions })
  })
  const { keyId, secret } = await response.json()
  assert.equal(response.status, 201)
  return { clientId, keyId, secret }
}

/** A network whose requests go to the first gateway that is there. */
function sendTo(gateways) {
  return async (path, body, limitMs) => {
    for (const { url } of gateways) {
      try {
        const response = await fetch(`${url}${path}`, { method: 'POST', body, signal: AbortSignal.timeout(limitMs) })
        return { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
      } catch {}
    }
    throw new LostError('no gateway answered')
  }
}

/** Runs a call, and answers after some time, in the session that got it. */
function handlerOf(peer) {
  return async ({ callId, data }) => {
    runs.set(data.number, (runs.get(data.number) ?? 0) + 1)
    await pause(random() * workMs)
    const result = { number: data.number, square: data.number ** 2 }
    await peer().request({ type: 'callResult', callId, data: result }).catch(ignoreLost)
  }
}

function ignoreLost(error) {
  if (!(error instanceof SessionLost)) throw error
}

async function openPeer(transport, gateways, credential, isReceiver) {
  let peer
  const options = {
    credential,
    onFailure: fail,
    ...(isReceiver ? { onCall: call => void handlerOf(() => peer)(call).catch(error => fail(error.stack)) } : {})
  }
  peer =
    transport === 'bridge'
      ? await openBridge({ ...options, send: sendTo(gateways), random, onPublication() {} })
      : await openWsPeer({ onCall: () => fail('a call to a caller'), ...options, url: gateways[0].url })
  return peer
}

function checkOutcome(number, answer, isRepeat) {
  const ran = runs.get(number) ?? 0
  const what = `call ${number}: ${JSON.stringify(answer)} after ${ran} runs`
  if (ran > 1) return fail(`it ran more than once: ${what}`)
  const kind = answer.type === 'called' ? 'called' : answer.code
  if (!(kind in outcomes)) return fail(what)
  outcomes[kind]++
  if (isRepeat) outcomes.repeated++
  if (kind === 'called') {
    if (ran !== 1 || answer.data.number !== number || answer.data.square !== number ** 2) fail(`not true: ${what}`)
  } else if (kind === 'CALL_TIMEOUT' && answer.outcome !== 'unknown') fail(`not honest: ${what}`)
  else if ((kind === 'NO_RECEIVER' || kind === 'RATE_LIMITED') && ran !== 0) fail(`not true: ${what}`)
  else if (kind === 'UNAVAILABLE' && answer.outcome === 'unsent' && ran !== 0) fail(`not true: ${what}`)
}

/** Makes a call, and repeats it under its key in another session if its session is lost. */
async function tryCall(number, caller, reopen, to) {
  const message = {
    ...{ type: 'call', to, method: 'square', data: { number }, timeoutMs },
    idempotencyKey: `try-${seed}-${number}`
  }
  const within = what => until(`call ${number}: ${what}`, timeoutMs + lateMs + patienceMs, () => answer)
  let answer
  let isRepeat = false
  const ask = async () => {
    try {
      answer = await caller.request(message)
    } catch (error) {
      ignoreLost(error)
      isRepeat = true
      answer = await (await reopen()).request(message)
    }
  }
  await Promise.race([ask(), within('no outcome')])
  checkOutcome(number, answer, isRepeat)
}

/** One gateway is killed while calls of all four pairs of transports are open. */
async function runRound(round, [near, far, steady], credentials, numberOf) {
  const victim = round % 2 === 0 ? near : far
  const callers = await Promise.all([
    openPeer('ws', [near], credentials.panel),
    openPeer('bridge', [near, steady], credentials.panel)
  ])
  const receivers = await Promise.all([
    openPeer('ws', [far], credentials.game, true),
    openPeer('bridge', [far, steady], credentials.game, true)
  ])
  let again
  const reopen = () => {
    again ??= openPeer('ws', [steady], credentials.panel)
    return again
  }
  const calls = callers.flatMap(caller =>
    receivers.flatMap(({ sessionId }) =>
      Array.from({ length: callsPerPair }, async () => {
        const number = numberOf()
        await pause(random() * spreadMs)
        await tryCall(number, caller, reopen, { sessionId })
      })
    )
  )
  const all = Promise.all(calls)
  all.catch(() => {})
  await pause(random() * spreadMs)
  victim.child.signal('SIGKILL')
  await victim.child.exited
  await Promise.all([all, victim.start()])
  for (const peer of [...callers, ...receivers, ...(again === undefined ? [] : [await again])]) peer.close()
  return calls.length
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
    COUNTERSIGN_RATE_LIMIT: 'off'
  }
  const gateways = await Promise.all(Array.from({ length: 3 }, () => createGateway(settings)))
  await gateways[2].start()
  await Promise.all(gateways.slice(0, 2).map(gateway => gateway.start()))
  const { url } = gateways[2]
  const credentials = {
    panel: await makeClient(url, 'panel', { call: ['game/*'] }),
    game: await makeClient(url, 'game', {})
  }
  process.stdout.write(`seed ${seed}: ${wanted} calls while gateways are killed\n`)
  const began = Date.now()
  let number = 0
  let tried = 0
  let kills = 0
  while (tried < wanted && failures.length === 0) {
    tried += await runRound(kills++, gateways, credentials, () => ++number)
    if (kills % 10 === 0) process.stdout.write(`${tried} of ${wanted}: ${JSON.stringify(outcomes)}\n`)
  }
  check(`${tried} calls: each ran at most once, and its outcome is true or unknown`, () => {
    assert.deepEqual(failures, [])
    return `${JSON.stringify(outcomes)}, ${kills} killed, ${((Date.now() - began) / 1000).toFixed(0)} s`
  })
  check('most calls were answered, and some were not', () => {
    assert.ok(outcomes.called > tried / 4, JSON.stringify(outcomes))
    assert.ok(outcomes.called < tried || tried < 100, JSON.stringify(outcomes))
  })
} catch (error) {
  counts.failed++
  process.stdout.write(`FAILED  ${error.stack}\n        ${failures.join('\n        ')}\n`)
}
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`)
process.exit(counts.failed === 0 ? 0 : 1)
