// npm run bench [-- SUITE …] [-- --quick] [-- --out DIR] [-- --node PATH]: what the gateway costs beside what people would use instead,
// everything in one run. Servers are processes of their own; what counts is their CPU per operation. Writes
// bench/results/<suite>.md and .svg. Suites: ws, sessions, fanout, cluster, redis, bridge, calls, growth,
// nodes; all where none is named. With --node the gateway runs on another Node; the peers stay on this one.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const suites = ['ws', 'sessions', 'fanout', 'cluster', 'redis', 'bridge', 'calls', 'growth', 'nodes']
const root = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, out: { type: 'string' }, node: { type: 'string' } }
})
if (values.node !== undefined) process.env.BENCH_NODE = values.node
const unknown = positionals.filter(name => !suites.includes(name))
if (unknown.length > 0) {
  process.stderr.write(`bench: no suite ${unknown.join(', ')}; there are ${suites.join(', ')}\n`)
  process.exit(1)
}

function npm(...args) {
  const { status } = spawnSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit']
  })
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed`)
}

if (!existsSync(join(root, 'bench/node_modules/.package-lock.json'))) {
  process.stderr.write('installing what is measured against (bench/package.json) …\n')
  npm('ci', '--no-audit', '--no-fund', '--prefix', 'bench')
}
spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, stdio: 'inherit' })

// A smoke run proves that everything runs; its figures are worth nothing and do not replace those that are kept.
const { quick } = values
const options = {
  quick,
  out: values.out ?? join(root, quick ? 'bench/results/quick' : 'bench/results'),
  pace: quick ? { rounds: 2, sliceMs: 100, warmMs: 100 } : { rounds: 7, sliceMs: 500, warmMs: 1000 }
}
for (const name of positionals.length > 0 ? positionals : suites) {
  process.stderr.write(`${name}\n`)
  const since = performance.now()
  const { default: run } = await import(`./suites/${name}.mjs`)
  await run(options)
  process.stderr.write(`${name}: ${Math.round((performance.now() - since) / 1000)} s\n\n`)
}
process.exit(0)
