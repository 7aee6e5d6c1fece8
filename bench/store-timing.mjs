// Measures the cost of timing every call of the store for `countersign_store_duration_seconds`: the same commands
// through the same connection to a Redis of its own, with the recording and without it, in turns. The load is on the
// gateway's side of the connection only, so a whole gateway pays a smaller part of its time.
//
//   npm run build && node bench/store-timing.mjs [rounds]
import { spawn } from 'node:child_process'
import { loadavg, tmpdir } from 'node:os'
import { RedisClient } from '../dist/store/redis/client.js'
import { freePort } from './lib/processes.mjs'

const rounds = Number(process.argv[2] ?? 60)
const commandsPerSlice = 4000
const inFlight = 50
const warmUpRounds = 5

/** CPU of this process for one slice, in microseconds per command. */
async function slice(client) {
  const before = process.cpuUsage()
  for (let done = 0; done < commandsPerSlice; done += inFlight) {
    await Promise.all(Array.from({ length: inFlight }, () => client.command('GET', 'key')))
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / commandsPerSlice
}

function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * part)]
}

const port = await freePort()
const redis = spawn('redis-server', ['--port', String(port), '--save', '', '--dir', tmpdir()], { stdio: 'ignore' })
const client = new RedisClient(`redis://127.0.0.1:${port}`, () => {})
await client.ready(10_000)
const { durations } = client
const record = durations.record.bind(durations)

const ratios = []
const costs = { with: [], without: [] }
for (let round = -warmUpRounds; round < rounds; round++) {
  const measured = {}
  for (const side of round % 2 === 0 ? ['with', 'without'] : ['without', 'with']) {
    durations.record = side === 'with' ? record : () => {}
    measured[side] = await slice(client)
  }
  if (round < 0) continue
  for (const side of ['with', 'without']) costs[side].push(measured[side])
  ratios.push(measured.with / measured.without)
}
client.disconnect()
redis.kill()

const calls = 2_000_000
const began = process.cpuUsage()
for (let i = 0; i < calls; i++) record('GET', performance.now() % 3)
const { user, system } = process.cpuUsage(began)

const shown = values =>
  `${quantile(values, 0.5).toFixed(2)} µs (${quantile(values, 0.25).toFixed(2)} to ${quantile(values, 0.75).toFixed(2)})`
process.stdout.write(
  `CPU of a command, with the recording:    ${shown(costs.with)}
CPU of a command, without it:            ${shown(costs.without)}
ratio, median of ${rounds} rounds:            ${quantile(ratios, 0.5).toFixed(3)} (${quantile(ratios, 0.25).toFixed(3)} to ${quantile(ratios, 0.75).toFixed(3)})
the recording and a clock by themselves: ${((user + system) / calls).toFixed(3)} µs
load average: ${loadavg()[0].toFixed(1)}
`
)
