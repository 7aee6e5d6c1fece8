// The storm test: game servers in Luau and web clients in JavaScript on one channel. Every third answer of the bridge is
// dropped, all clients publish, and each client must receive every publication once and in order.
//
//   npm run test:storm -- [--servers 20] [--web 20] [--publications 2000]
import { parseArgs } from 'node:util'
import { runLuau, startGateway } from './processes.mjs'

const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: '20' },
    web: { type: 'string', default: '20' },
    publications: { type: 'string', default: '2000' }
  }
})
const [servers, web, publications] = [values.servers, values.web, values.publications].map(Number)
/** luau-web has 18 MB of memory for a process. */
const serversPerProcess = 4
const timeoutSeconds = 240
const channel = 'storm'
/**
 * Publications of a client before it waits for as many of all other clients. So no client is more than two rounds behind,
 * which fits into the gateway's outbox (PROTOCOL §11) on a machine of any speed.
 */
const roundSize = 5

const each = Math.floor(publications / (servers + web))
const total = each * (servers + web)
let passed = 0
let failed = 0
function check(holds, what) {
  if (holds) passed += 1
  else failed += 1
  if (!holds) console.log(`failed: ${what}`)
}

/** A promise with its resolve and reject functions. */
function deferred() {
  const parts = {}
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return parts
}

const gateway = await startGateway()
// startGateway has built dist.
const { createClient } = await import('../../dist/client/node.js')
try {
  await run()
} catch (error) {
  console.log(error)
  failed += 1
} finally {
  await gateway.stop()
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

/** A WebSocket client that checks the order of publications. */
async function openWebClient(name) {
  const { clientId, keyId, secret } = await gateway.api('POST', '/v1/admin/clients', {
    clientId: name,
    subscribe: ['*'],
    publish: ['*']
  })
  const client = createClient({
    url: `${gateway.url.replace(/^http/, 'ws')}/v1/ws`,
    credential: { clientId, keyId, secret }
  })
  const seen = { name, client, offsets: [], last: new Map(), disorder: 0, started: deferred(), onData: () => {} }
  client.subscribe(channel, ({ data, offset }) => {
    if (data === 'start') return seen.started.resolve()
    seen.offsets.push(offset)
    if (data.number !== (seen.last.get(data.from) ?? 0) + 1) seen.disorder += 1
    seen.last.set(data.from, data.number)
    seen.onData()
  })
  await new Promise(resolve => {
    client.on('state', state => state === 'connected' && resolve())
    client.connect()
  })
  // Requests are answered in order, so the subscribe has been answered as well.
  await client.heartbeat()
  return seen
}

/** Waits until a client has received `count` publications of each publisher. */
function waitForRound(seen, count) {
  const holds = () => seen.last.size === servers + web && [...seen.last.values()].every(number => number >= count)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${seen.name}: no complete round within ${timeoutSeconds} s`)),
      timeoutSeconds * 1000
    )
    seen.onData = () => {
      if (!holds()) return
      clearTimeout(timer)
      resolve()
    }
    seen.onData()
  })
}

async function run() {
  const results = []
  let joined = 0
  const allJoined = deferred()
  const processes = []
  for (let first = 0; first < servers; first += serversPerProcess) {
    const environment = {
      GATEWAY_URL: gateway.url,
      ADMIN_TOKEN: gateway.token,
      CHANNEL: channel,
      PROCESS_NAME: `luau-${first / serversPerProcess}`,
      SESSIONS: String(Math.min(serversPerProcess, servers - first)),
      EACH: String(each),
      TOTAL: String(total),
      PUBLISHERS: String(servers + web),
      ROUND_SIZE: String(roundSize),
      TIMEOUT_SECONDS: String(timeoutSeconds)
    }
    const running = runLuau('roblox/test/live/storm.luau', environment, line => {
      if (line === 'joined' && ++joined === processes.length) allJoined.resolve()
      if (line.startsWith('result ')) results.push(JSON.parse(line.slice('result '.length)))
    })
    running.then(({ code, errors }) => allJoined.reject(new Error(`a Luau process ended with ${code}: ${errors}`)))
    processes.push(running)
  }
  const webClients = await Promise.all(Array.from({ length: web }, (_, index) => openWebClient(`web-${index}`)))
  await allJoined.promise

  const startedAt = performance.now()
  await gateway.api('POST', '/v1/publish', { channel, data: 'start' })
  await Promise.all(
    webClients.map(async seen => {
      await seen.started.promise
      for (let number = 1; number <= each; number++) {
        if (number > 1 && (number - 1) % roundSize === 0) await waitForRound(seen, number - 1)
        await seen.client.publish(channel, { from: seen.name, number })
      }
    })
  )
  const ends = await Promise.all(processes)
  for (const { code, errors } of ends) check(code === 0, `a Luau process ended with ${code}: ${errors}`)
  const seconds = (performance.now() - startedAt) / 1000

  check(results.length === servers, `${results.length} of ${servers} servers reported results`)
  for (const result of results) {
    const { name, received, holes, disorder, gaps, published, failed: refused, dropped, threadErrors } = result
    check(received === total, `${name} has ${received} of ${total}`)
    check(holes === 0 && disorder === 0 && gaps === 0, `${name}: ${JSON.stringify(result)}`)
    check(published === each && refused === 0, `${name} published ${published} of ${each}`)
    check(dropped > 0 && threadErrors.length === 0, `${name}: ${JSON.stringify(result)}`)
  }
  for (const { name, client, offsets, disorder } of webClients) {
    client.close()
    check(offsets.length === total, `${name} has ${offsets.length} of ${total}`)
    check(disorder === 0 && offsets.every((offset, at) => at === 0 || offset === offsets[at - 1] + 1), `${name}: order`)
  }
  const sum = member => results.reduce((all, result) => all + result[member], 0)
  console.log(
    `${servers} game servers and ${web} web clients, ${total} publications, all received by each client: ${seconds.toFixed(1)} s; ` +
      `${sum('requests')} requests by the servers, ${sum('dropped')} answers dropped`
  )
}
