// The storm: game servers in Luau and clients in JavaScript on one channel. Every third answer of the bridge is dropped,
// everyone publishes, and everyone must get every publication, once and in order.
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
/** luau-web has 18 MB a process. */
const serversAProcess = 4
const patienceSeconds = 240
const channel = 'storm'
/**
 * Everyone publishes so many, then waits until it has had as many of all others: so nobody is more than two rounds behind,
 * which a gateway's outbox holds (PROTOCOL §11), however slow the machine is.
 */
const atOnce = 5

const each = Math.floor(publications / (servers + web))
const total = each * (servers + web)
let passed = 0
let failed = 0
function check(holds, what) {
  if (holds) passed += 1
  else failed += 1
  if (!holds) console.log(`not so: ${what}`)
}

/** A promise that is settled from outside. */
function deferred() {
  const parts = {}
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return parts
}

const gateway = await startGateway()
// The gateway has built what must be built.
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

/** A client on a socket, which watches the order of what it gets. */
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
  const seen = { name, client, offsets: [], last: new Map(), disorder: 0, go: deferred(), onData: () => {} }
  client.subscribe(channel, ({ data, offset }) => {
    if (data === 'go') return seen.go.resolve()
    seen.offsets.push(offset)
    if (data.number !== (seen.last.get(data.from) ?? 0) + 1) seen.disorder += 1
    seen.last.set(data.from, data.number)
    seen.onData()
  })
  await new Promise(resolve => {
    client.on('state', state => state === 'connected' && resolve())
    client.connect()
  })
  // Its subscribe went before; an answer to this says that it was taken.
  await client.heartbeat()
  return seen
}

/** Until a client has had `count` of everyone's publications. */
function hasHad(seen, count) {
  const holds = () => seen.last.size === servers + web && [...seen.last.values()].every(number => number >= count)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${seen.name} waits in vain`)), patienceSeconds * 1000)
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
  const everyoneJoined = deferred()
  const processes = []
  for (let first = 0; first < servers; first += serversAProcess) {
    const environment = {
      GATEWAY_URL: gateway.url,
      ADMIN_TOKEN: gateway.token,
      CHANNEL: channel,
      WORKER: `luau-${first / serversAProcess}`,
      SESSIONS: String(Math.min(serversAProcess, servers - first)),
      EACH: String(each),
      TOTAL: String(total),
      PARTIES: String(servers + web),
      AT_ONCE: String(atOnce),
      PATIENCE_SECONDS: String(patienceSeconds)
    }
    const running = runLuau('roblox/test/live/storm.luau', environment, line => {
      if (line === 'joined' && ++joined === processes.length) everyoneJoined.resolve()
      if (line.startsWith('result ')) results.push(JSON.parse(line.slice('result '.length)))
    })
    running.then(({ code, errors }) => everyoneJoined.reject(new Error(`a Luau process ended with ${code}: ${errors}`)))
    processes.push(running)
  }
  const webClients = await Promise.all(Array.from({ length: web }, (_, index) => openWebClient(`web-${index}`)))
  await everyoneJoined.promise

  const startedAt = performance.now()
  await gateway.api('POST', '/v1/publish', { channel, data: 'go' })
  await Promise.all(
    webClients.map(async seen => {
      await seen.go.promise
      for (let number = 1; number <= each; number++) {
        if (number > 1 && (number - 1) % atOnce === 0) await hasHad(seen, number - 1)
        await seen.client.publish(channel, { from: seen.name, number })
      }
    })
  )
  const ends = await Promise.all(processes)
  for (const { code, errors } of ends) check(code === 0, `a Luau process ended with ${code}: ${errors}`)
  const seconds = (performance.now() - startedAt) / 1000

  check(results.length === servers, `${results.length} of ${servers} servers said what they saw`)
  for (const result of results) {
    const { name, received, holes, disorder, gaps, published, failed: refused, dropped, faults } = result
    check(received === total, `${name} has ${received} of ${total}`)
    check(holes === 0 && disorder === 0 && gaps === 0, `${name}: ${JSON.stringify(result)}`)
    check(published === each && refused === 0, `${name} published ${published} of ${each}`)
    check(dropped > 0 && faults.length === 0, `${name}: ${JSON.stringify(result)}`)
  }
  for (const { name, client, offsets, disorder } of webClients) {
    client.close()
    check(offsets.length === total, `${name} has ${offsets.length} of ${total}`)
    check(disorder === 0 && offsets.every((offset, at) => at === 0 || offset === offsets[at - 1] + 1), `${name}: order`)
  }
  const sum = member => results.reduce((all, result) => all + result[member], 0)
  console.log(
    `${servers} game servers and ${web} web clients, ${total} publications, each got all: ${seconds.toFixed(1)} s; ` +
      `${sum('requests')} requests by the servers, ${sum('dropped')} answers dropped`
  )
}
