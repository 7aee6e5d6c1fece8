import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { loopback, pause, until } from '../helper/processes.mjs'
import { connectClient } from './clients.mjs'

/** Shared context of the checks: the gateways, the proxy under test, their API, and the open clients. */

/** Until a proxy has noticed that a gateway is back and sends it connections. */
export const spreadMs = 15_000
const maxClients = 24

export const counts = { passed: 0, failed: 0 }
export const token = randomBytes(32).toString('base64url')
export const authorization = `Bearer ${token}`
export const cluster = { proxy: undefined, gateways: [] }
const clients = new Set()

export async function check(name, run) {
  try {
    const note = await run()
    counts.passed++
    process.stdout.write(`ok      ${name}${note === undefined ? '' : ` (${note})`}\n`)
  } catch (error) {
    counts.failed++
    const outputs = [
      cluster.proxy?.child.output.slice(-1500),
      ...cluster.gateways.map(each => each.child?.output.slice(-8000))
    ]
    const report = [error.stack ?? error, ...outputs].filter(Boolean).join('\n')
    process.stdout.write(`FAILED  ${name}\n        ${report.replaceAll('\n', '\n        ')}\n`)
  }
}

export async function admin(gateway, method, path, { body, headers } = {}) {
  const json = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(`${gateway.url}/v1/admin/${path}`, {
    method,
    headers: { authorization, ...json, ...headers },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000)
  })
  const text = await response.text()
  return { status: response.status, answer: text === '' ? undefined : JSON.parse(text) }
}

async function make(path, body) {
  const { status, answer } = await admin(cluster.gateways[0], 'POST', path, { body })
  assert.equal(status, 201, JSON.stringify(answer))
  return answer
}

/** A new client and license, and the validation of the two. */
export async function makeParties(clientId) {
  const client = await make('clients', { clientId, subscribe: ['*'], publish: ['session:*'] })
  const { key } = await make('licenses', { serviceId: 'example_service' })
  const { keyId, secret } = client
  return {
    clientId,
    credential: { clientId, keyId, secret },
    question: { serviceId: 'example_service', hwid: 'h', key }
  }
}

/** The session of a client, as a running gateway lists it. */
export async function sessionOf({ sessionId }, clientId) {
  const gateway = cluster.gateways.find(({ child }) => child.ended === undefined)
  const { answer } = await admin(gateway, 'GET', `sessions?limit=1000&clientId=${clientId}`)
  return answer.items.find(each => each.sessionId === sessionId)
}

export const wsUrl = () => `wss://localhost:${cluster.proxy.https}/v1/ws`

export function keep(watched) {
  clients.add(watched)
  return watched
}

export function closeClients() {
  for (const { client } of clients) client.close()
  clients.clear()
}

/** Reads the instance id of a gateway, which each start renews. */
export async function learnInstance(gateway, { clientId, credential }) {
  const watched = await connectClient(`ws://${loopback}:${gateway.port}/v1/ws`, credential)
  const session = await sessionOf(watched, clientId)
  watched.client.close()
  gateway.instanceId = session.instanceId
}

/** Connects through the proxy until both gateways hold at least two sessions. */
export async function connectSpread({ clientId, credential }) {
  const held = cluster.gateways.map(() => [])
  const deadline = Date.now() + spreadMs
  for (let made = 0; held.some(each => each.length < 2); made++) {
    // Only the first connections may find a gateway missing from the rotation.
    if (made >= maxClients || Date.now() > deadline)
      throw new Error(`not spread: ${held.map(each => each.length)} sessions`)
    const watched = keep(await connectClient(wsUrl(), credential))
    const session = await until('the session is listed', 2_000, () => sessionOf(watched, clientId))
    const index = cluster.gateways.findIndex(each => each.instanceId === session.instanceId)
    held[index].push(watched)
    const spread = Math.abs(held[0].length - held[1].length)
    if (spread > 2) await pause(250)
  }
  return held
}

export async function assertValid(watched, question) {
  const { valid, code } = await watched.client.validate(question)
  assert.deepEqual({ valid, code }, { valid: true, code: 'VALID' })
}

/** Publishes once through a proxy, and tries again until it succeeds. */
export const publishThrough = port => async (channel, data, idempotencyKey) => {
  await until('it is published', 30_000, async () => {
    const options = { method: 'POST', headers: { authorization, 'content-type': 'application/json' } }
    const body = JSON.stringify({
      channel,
      data,
      idempotencyKey: createHash('sha256').update(idempotencyKey).digest('hex')
    })
    const url = `https://localhost:${port}/v1/publish`
    const answer = await fetch(url, { ...options, body, signal: AbortSignal.timeout(10_000) }).catch(() => undefined)
    await answer?.text()
    return answer?.ok
  })
}
