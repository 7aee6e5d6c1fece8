// npm run bench:luau -- --peers DIR: HMAC-SHA256 in Luau against other libraries, natively compiled and interpreted.
// Writes bench/results/luau-hmac.md and .svg, and prints the tables.
//
// Needs lune (LUNE, or `lune` on the PATH) or Luau's own command (LUAU, or `luau`). The peers' code is theirs, and so not
// here: DIR holds an adapter a peer, a .luau file that returns { name, input = "string" | "buffer",
// make = function(key) return function(message) return hex end end }.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { drawBars } from './bars.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const lengths = [64, 256, 1024, 16384]
const repetitions = 41
const sliceSeconds = 0.002
const ours = ['countersign, a kept signer', 'countersign, key each time']

const { values } = parseArgs({ options: { peers: { type: 'string' }, out: { type: 'string' } } })
const out = values.out ?? join(root, 'bench/results')

/** How to run a file natively compiled and interpreted, or undefined if there is nothing to run it with. */
function findRuntime() {
  const lune = process.env.LUNE ?? 'lune'
  const luau = process.env.LUAU ?? 'luau'
  const version = spawnSync(lune, ['--version'], { encoding: 'utf8', timeout: 20_000 })
  if (version.status === 0) {
    return {
      name: version.stdout.trim(),
      native: file => spawn(lune, ['run', file], { LUNE_LUAU_JIT: '1' }),
      interpreted: file => spawn(lune, ['run', file], { LUNE_LUAU_JIT: '0' })
    }
  }
  if (spawnSync(luau, ['--help'], { timeout: 20_000 }).status !== 0) return undefined
  return {
    name: 'luau',
    native: file => spawn(luau, ['-O2', '--codegen', file], {}),
    interpreted: file => spawn(luau, ['-O2', file], {})
  }
}

function spawn(command, args, env) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 64 * 1024 * 1024
  })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The file that names who is measured: relative paths, for `require` takes no others. */
function mainFile(folder, peersFolder) {
  const to = path => JSON.stringify(`./${relative(folder, path)}`.replace('./..', '..').replace(/\.luau$/, ''))
  const peers = peersFolder === undefined ? [] : readdirSync(peersFolder).filter(name => name.endsWith('.luau'))
  return `local measure = require(${to(join(root, 'bench/luau-hmac'))})
local HmacSha256 = require(${to(join(root, 'roblox/src/HmacSha256'))})
measure({
	{ name = "${ours[0]}", input = "string", make = function(key)
		local signer = HmacSha256.new(key)
		return function(message) return signer:Hex(message) end
	end },
	{ name = "${ours[1]}", input = "string", make = function(key)
		return function(message) return HmacSha256.Hex(key, message) end
	end },
	${peers.map(name => `require(${to(join(peersFolder, name))}),`).join('\n\t')}
}, { ${lengths.join(', ')} }, ${repetitions}, ${sliceSeconds})
`
}

/** Seconds a call by name and length, the median of all repetitions. */
function read(output) {
  const samples = new Map()
  for (const line of output.trim().split('\n')) {
    const [name, length, seconds] = line.split('\t')
    const key = `${name}\t${length}`
    samples.set(key, [...(samples.get(key) ?? []), Number(seconds)])
  }
  const names = [...new Set([...samples.keys()].map(key => key.split('\t')[0]))]
  return names.map(name => ({ name, seconds: lengths.map(length => median(samples.get(`${name}\t${length}`))) }))
}

function rate(seconds) {
  const perSecond = 1 / seconds
  return perSecond >= 1000 ? `${Math.round(perSecond / 100) / 10} k` : `${Math.round(perSecond)}`
}

function table(rows) {
  const peers = rows.filter(({ name }) => !ours.includes(name))
  const cells = rows.map(({ name, seconds }) => [
    name,
    ...seconds.map((each, i) => `${rate(each)}/s, ${(lengths[i] / each / 1e6).toFixed(1)} MB/s`)
  ])
  for (const { name, seconds } of peers.length === 0 ? [] : rows.filter(each => ours.includes(each.name))) {
    const ratios = seconds.map((each, i) => Math.min(...peers.map(peer => peer.seconds[i])) / each)
    cells.push([`**${name}, to the best peer**`, ...ratios.map(ratio => `**${ratio.toFixed(2)}×**`)])
  }
  const head = ['', ...lengths.map(length => `${length} B`)]
  return [head, head.map(() => '---'), ...cells].map(row => `| ${row.join(' | ')} |`).join('\n')
}

const runtime = findRuntime()
if (runtime === undefined) {
  console.error('bench:luau needs lune (cargo install lune, or https://github.com/lune-org/lune) or luau on the PATH')
  process.exit(1)
}
const peersFolder = values.peers === undefined ? undefined : resolve(values.peers)
const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
const results = {}
try {
  const file = join(folder, 'main.luau')
  writeFileSync(file, mainFile(folder, peersFolder))
  for (const mode of ['native', 'interpreted']) results[mode] = read(runtime[mode](file))
} finally {
  rmSync(folder, { recursive: true })
}

const titles = { native: 'Natively compiled', interpreted: 'Interpreted' }
const text = `# HMAC-SHA256 in Luau

Written by \`npm run bench:luau -- --peers DIR\` (bench/luau-hmac.mjs): ${runtime.name}, ${cpus().length} × ${cpus()[0].model.trim()}.
The key has 32 bytes, the result is hex, and each library gets its own input type. All are measured in turn, ${repetitions} times, in
slices of ${sliceSeconds * 1000} ms; the table shows medians. Absolute figures vary with the machine and the hour, so compare the ratios. "Natively
compiled" applies to all libraries, also those without \`--!native\`. Libraries without an HMAC got one with precomputed pads.
${Object.entries(results)
  .map(([mode, rows]) => `\n## ${titles[mode]}\n\n${table(rows)}\n`)
  .join('')}
![MB/s at 64 B and 16 KiB](luau-hmac.svg)
`
mkdirSync(out, { recursive: true })
writeFileSync(join(out, 'luau-hmac.md'), text)
writeFileSync(
  join(out, 'luau-hmac.svg'),
  drawBars(
    'HMAC-SHA256 in Luau against other libraries',
    Object.entries(results).flatMap(([mode, rows]) =>
      [0, lengths.length - 1].map(i => ({
        title: `${titles[mode]}, ${lengths[i]} B: MB/s`,
        bars: rows.map(({ name, seconds }) => ({
          name,
          value: lengths[i] / seconds[i] / 1e6,
          isOurs: ours.includes(name)
        }))
      }))
    )
  )
)
console.log(text)
