// How long a publication from the web takes to a Roblox game server, and what that costs in HTTP requests:
//
//   npm run bench:roblox [-- seconds for each row, default 65]
//
// A gateway, a backend that publishes over HTTP, and the Luau SDK on HttpService's double (luau-web; natively with
// LUNE=/path/to/lune), all on this machine: so the network's way comes on top. The time is taken from before the
// backend's request to the call of the listener.
import { writeFileSync } from 'node:fs'
import { arch, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { runLuau, startGateway } from '../test/roblox/processes.mjs'

const seconds = Number(process.argv[2] ?? 65)
const rows = [
  { name: 'nothing', everyMs: Number.POSITIVE_INFINITY, rate: 0 },
  { name: 'one every 2 s', everyMs: 2000, rate: 0 },
  { name: 'one a second', everyMs: 1000, rate: 0 },
  { name: '10 a second', everyMs: 100, rate: 0 },
  { name: '10 a second, and 10 a second back', everyMs: 100, rate: 10 },
  { name: '50 a second, and 10 a second back', everyMs: 20, rate: 10 }
]

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** @param sorted numbers, in order */
function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

async function measure({ everyMs, rate }) {
  const gateway = await startGateway()
  const sentAt = new Map()
  const elapsedMs = []
  const found = { requests: 0, busiest: 0 }
  let isJoined = () => {}
  const joined = new Promise(resolve => {
    isJoined = resolve
  })
  let over = false
  const server = runLuau(
    'roblox/test/live/latency.luau',
    { GATEWAY_URL: gateway.url, ADMIN_TOKEN: gateway.token, SECONDS: String(seconds), RATE: String(rate) },
    line => {
      const [event, first, second] = line.split(' ')
      if (event === 'joined') isJoined()
      else if (event === 'got') elapsedMs.push(performance.now() - sentAt.get(Number(first)))
      else if (event === 'requests') Object.assign(found, { requests: Number(first), busiest: Number(second) })
    }
  ).then(end => {
    over = true
    return end
  })
  await joined
  if (everyMs === Number.POSITIVE_INFINITY) await server
  for (let number = 1; !over; number++) {
    sentAt.set(number, performance.now())
    void gateway.api('POST', '/v1/publish', { channel: 'latency', data: number }).catch(() => {})
    // Not in step with the polls.
    await Promise.race([server, pause(everyMs * (0.5 + Math.random()))])
  }
  const { code, errors } = await server
  await gateway.stop()
  if (code !== 0) throw new Error(`the Luau program ended with ${code}: ${errors}`)
  return { sorted: elapsedMs.sort((a, b) => a - b), ...found }
}

const lines = [
  '| from the web | publications | p50 ms | p95 ms | p99 ms | requests a minute | most in any minute |',
  '|---|---|---|---|---|---|---|'
]
for (const row of rows) {
  const { sorted, requests, busiest } = await measure(row)
  const times = [0.5, 0.95, 0.99].map(share => quantile(sorted, share)?.toFixed(0) ?? '–')
  const cells = [row.name, sorted.length, ...times, ((requests * 60) / seconds).toFixed(1), busiest]
  lines.push(`| ${cells.join(' | ')} |`)
  console.log(lines.at(-1))
}
writeFileSync(
  fileURLToPath(new URL('results/roblox-latency.md', import.meta.url)),
  `# From the web to a Roblox game server

Written by \`npm run bench:roblox\` (bench/roblox-latency.mjs): ${cpus().length} × ${cpus()[0]?.model.trim()} (${arch()}), Luau
${process.env.LUNE ? 'natively (lune)' : 'in WebAssembly (luau-web)'}, the gateway and its store on the same machine, so network latency is not included. The budget is the SDK's default, 300
requests a minute. The time is measured from before a backend's \`POST /v1/publish\` to the call of the listener.

${lines.join('\n')}
`
)
