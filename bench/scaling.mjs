// node bench/scaling.mjs [--vcpu-hour N] [--gib-hour N] [--gb-out N] [--print]: takes measured figures to one million sessions
// and to 10,000 Roblox game servers. Prints the tables of docs/scaling.md and writes docs/scaling.svg; with --print it writes
// nothing. After new results: change `measured`, run it again, and place its tables.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { drawBars } from './bars.mjs'
import { table } from './lib/report.mjs'

const { values } = parseArgs({
  options: {
    'vcpu-hour': { type: 'string', default: '0.04' },
    'gib-hour': { type: 'string', default: '0.005' },
    'gb-out': { type: 'string', default: '0.08' },
    print: { type: 'boolean', default: false }
  }
})
const price = {
  vcpuHour: Number(values['vcpu-hour']),
  gibHour: Number(values['gib-hour']),
  gbOut: Number(values['gb-out'])
}

/** Microseconds of CPU, bytes. Where each comes from is in docs/scaling.md. */
const measured = {
  heartbeatUs: 24.8,
  publishUs: 46.7,
  deliveryUs: 8,
  handshakeUs: 1035,
  exchangeUs: 179,
  exchangedPublishUs: 168,
  sessionBytes: 12.2 * 1024,
  heldPollBytes: 3.4 * 1024,
  redis: {
    publicationUs: 23.5,
    notificationUs: 2.7,
    handshakeUs: 165,
    exchangeUs: 40,
    /** One whose messages are claimed. */
    claimedExchangeUs: 60,
    exchangedPublishUs: 30,
    /** Deadline and counts of a session that has sent something, by the number of sessions in the index. */
    indexUs: { 10000: 10, 1000000: 23 },
    sessionBytes: 1640,
    bridgeSessionBytes: 4150
  },
  bytes: { heartbeatUp: 107, heartbeatDown: 141, publishUp: 230, published: 175, publication: 339 }
}

const assumed = {
  /** Part of a core that is used, so that the loss of an instance, a peak and a garbage collection have room. */
  instanceLoad: 0.6,
  redisLoad: 0.5,
  /** TCP, IP and TLS of one segment; the header of a WebSocket frame. */
  segmentBytes: 74,
  frameBytes: 6,
  /** Cost of a notification of Redis for an instance before it delivers it. */
  notificationUs: 15,
  /** HTTP headers of an exchange, up and down, and its two segments each. */
  exchangeUpBytes: 400 + 267 + 148,
  exchangeDownBytes: 245 + 240 + 148,
  instanceBytes: 150 * 2 ** 20,
  socketBytes: 4096,
  redisBytes: 2 ** 30,
  sessionSeconds: 1800
}

const hours = 730
const sum = parts => Object.values(parts).reduce((total, each) => total + each, 0)
/** Instances that have at least one of `members` sessions, placed at random. */
const reached = (instances, members) => instances * (1 - (1 - 1 / instances) ** members)

/** WebSocket sessions that send heartbeats, and publish into channels of `members` sessions. */
function sessions({ count, heartbeatSeconds, publishSeconds, members }) {
  const { redis, bytes } = measured
  const heartbeats = count / heartbeatSeconds
  const publications = publishSeconds === 0 ? 0 : count / publishSeconds
  const handshakes = count / assumed.sessionSeconds
  const deliveries = publications * members
  let instances = 1
  let cores
  // More instances mean more notifications.
  for (let i = 0; i < 20; i++) {
    cores = {
      heartbeats: (heartbeats * measured.heartbeatUs) / 1e6,
      handshakes: (handshakes * measured.handshakeUs) / 1e6,
      publications: (publications * measured.publishUs) / 1e6,
      notifications: (publications * reached(instances, members) * assumed.notificationUs) / 1e6,
      deliveries: (deliveries * measured.deliveryUs) / 1e6
    }
    instances = Math.max(Math.ceil(sum(cores) / assumed.instanceLoad), Math.ceil(count / 50_000))
  }
  // Most of what a handshake asks is in the slot of the index.
  const index = (heartbeats * redis.indexUs[1_000_000] + handshakes * redis.handshakeUs) / 1e6
  const spread = (publications * (redis.publicationUs + reached(instances, members) * redis.notificationUs)) / 1e6
  const overhead = assumed.segmentBytes + assumed.frameBytes
  return finish({
    ...{ cores: sum(cores), instances, index, spread },
    memory: count * (measured.sessionBytes + assumed.socketBytes) + instances * assumed.instanceBytes,
    redisMemory: count * redis.sessionBytes,
    up: heartbeats * (bytes.heartbeatUp + overhead) + publications * (bytes.publishUp + overhead),
    down:
      heartbeats * (bytes.heartbeatDown + overhead) +
      publications * (bytes.published + overhead) +
      deliveries * (bytes.publication + overhead)
  })
}

/** Game servers that make so many exchanges a minute; with each, `publications` go up and as many come down. */
function servers({ count, perMinute, publications }) {
  const { redis, bytes } = measured
  const exchanges = (count * perMinute) / 60
  const cores = (exchanges * (measured.exchangeUs + publications * measured.exchangedPublishUs)) / 1e6
  const ofClaims = redis.claimedExchangeUs + publications * redis.exchangedPublishUs
  const cost = publications === 0 ? redis.exchangeUs : ofClaims
  const perBridge = measured.sessionBytes + measured.heldPollBytes + assumed.socketBytes
  const instances = Math.max(2, Math.ceil(cores / assumed.instanceLoad))
  return finish({
    ...{ cores, instances, index: (Math.min(exchanges, count) * redis.indexUs[10_000]) / 1e6 },
    spread: (exchanges * cost) / 1e6,
    memory: count * perBridge + instances * assumed.instanceBytes,
    redisMemory: count * redis.bridgeSessionBytes,
    up: exchanges * (assumed.exchangeUpBytes + publications * bytes.publishUp),
    down: exchanges * (assumed.exchangeDownBytes + publications * (bytes.published + bytes.publication))
  })
}

function finish({ index, spread, ...rest }) {
  const shards = Math.max(1, Math.ceil((index + spread) / assumed.redisLoad))
  const vcpus = rest.instances + shards
  const gib = (rest.memory + rest.redisMemory + shards * assumed.redisBytes) / 2 ** 30
  const machines = (vcpus * price.vcpuHour + gib * price.gibHour) * hours
  const traffic = ((rest.down * 3600 * hours) / 1e9) * price.gbOut
  return { ...rest, index, spread, shards, machines, traffic }
}

const round = (value, digits = 1) => value.toLocaleString('en', { maximumFractionDigits: digits })
const percent = value => `${(value * 100).toFixed(0)} %`
const dollars = value => `$${round(Number(value.toPrecision(2)), 0)}`
const rows = [
  ['CPU of all instances, cores', ({ cores }) => round(cores)],
  ['instances of one core, 60 % used', ({ instances }) => round(instances)],
  ['resident memory of all, GiB', ({ memory }) => round(memory / 2 ** 30)],
  ['Redis: index of all sessions, of one core', ({ index }) => percent(index)],
  ['Redis: what spreads over shards, cores', ({ spread }) => round(spread)],
  ['Redis: shards, 50 % used', ({ index, shards }) => (index > 1 ? 'the index does not fit' : `${shards}`)],
  ['Redis: memory of sessions, GiB', ({ redisMemory }) => round(redisMemory / 2 ** 30, 2)],
  ['traffic in, Mbit/s', ({ up }) => round((up * 8) / 1e6, 0)],
  ['traffic out, Mbit/s', ({ down }) => round((down * 8) / 1e6, 0)],
  ['machines, a month', ({ machines }) => dollars(machines)],
  ['traffic out, a month', ({ traffic }) => dollars(traffic)]
]

function show(cases) {
  const results = Object.entries(cases)
  return table(
    ['', ...results.map(([name]) => name)],
    rows.map(([name, cell]) => [name, ...results.map(([, result]) => cell(result))])
  )
}

const million = { count: 1_000_000, heartbeatSeconds: 15, publishSeconds: 0, members: 0 }
const players = {
  'quiet, heartbeat of 15 s': sessions(million),
  'quiet, 60 s': sessions({ ...million, heartbeatSeconds: 60 }),
  'chat, 60 s': sessions({ ...million, heartbeatSeconds: 60, publishSeconds: 60, members: 50 })
}
const games = {
  'quiet, 3 a minute': servers({ count: 10_000, perMinute: 3, publications: 0 }),
  'busy, 300': servers({ count: 10_000, perMinute: 300, publications: 2 }),
  'at the limit, 500': servers({ count: 10_000, perMinute: 500, publications: 2 })
}
process.stdout.write(`${show(players)}\n\n${show(games)}\n`)

const bars = (cases, measure) =>
  Object.entries(cases).map(([name, result]) => ({ name, value: measure(result), isOurs: true }))
const panels = [
  { title: 'Cores of instances: one million sessions', bars: bars(players, ({ cores }) => cores) },
  { title: 'Cores of Redis: one million sessions', bars: bars(players, ({ index, spread }) => index + spread) },
  { title: 'Cores of instances: 10,000 game servers', bars: bars(games, ({ cores }) => cores) },
  { title: 'Cores of Redis: 10,000 game servers', bars: bars(games, ({ index, spread }) => index + spread) }
]
if (!values.print) {
  const picture = fileURLToPath(new URL('../docs/scaling.svg', import.meta.url))
  writeFileSync(picture, drawBars('A million sessions and 10,000 game servers', panels))
}
