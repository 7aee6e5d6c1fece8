// Checks the models of the bridge and of calls with SPIN: `npm run model`. Each variant must pass, or must fail in the way that is stated
// here; the last line of the output is the summary. docs/model/README.md explains the variants.
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { removeFolder } from '../test/helper/remove-folder.mjs'
import { callVariants, deeperCallVariants } from './model-calls.mjs'

const models = resolve(import.meta.dirname, '../docs/model')
const bridgeModel = 'bridge.pml'
const memoryMiB = 2000
const variantMs = 300_000
const depth = 10_000
/** Concurrent searches: each uses a core and up to `memoryMiB`. */
const concurrency = Math.min(2, availableParallelism())

// How SPIN reports each fault.
const twiceRun = 'ran[runner[me].seq]==0'
const disorder = 'runner[me].seq==effects'
const twiceAnswered = 'sentAs[f]==(answered+1)'
const changedFrame = 'sentAs[s]==0)||(sentAs[s]==outbox[s])'
const answeredEarly = 's==effects'
const stuck = 'invalid end state'

const up = { MSGS: 2, PUBS: 0, EXCHANGES: 2 }
const down = { MSGS: 0, PUBS: 1, EXCHANGES: 2 }
const both = { MSGS: 1, PUBS: 1, EXCHANGES: 2 }

/** `shows`: the fault that SPIN must find when the rule is removed. Without it SPIN must find none in any interleaving. */
const variants = [
  { name: 'messages and publications', bounds: { MSGS: 2, PUBS: 1, EXCHANGES: 2 } },
  { name: 'two messages, three exchanges', bounds: { ...up, EXCHANGES: 3 } },
  { name: 'a batch of three', bounds: { ...up, MSGS: 3 } },
  { name: 'publications, four exchanges', bounds: { MSGS: 0, PUBS: 2, EXCHANGES: 4 } },
  { name: 'three faults', bounds: { ...both, FAULTS: 3 } },
  { name: 'every run ends (no cycle)', bounds: both, cycles: true },
  { name: 'without (f): stale polls', bounds: up, without: 'NO_STALE' },
  { name: 'without (f): superseding', bounds: both, without: 'NO_SUPERSEDE' },
  { name: 'without (b): a seen seq is not run again', bounds: up, without: 'NO_DEDUP', shows: twiceAnswered },
  { name: 'without (b): a gap refuses the batch', bounds: up, without: 'NO_GAP_CHECK', shows: disorder },
  { name: 'without (c): a message is claimed before it runs', bounds: up, without: 'NO_CLAIM', shows: twiceAnswered },
  { name: 'without (c): the idempotency key', bounds: up, without: 'NO_KEY', shows: twiceRun },
  { name: 'without (c): claims of dead instances are taken over', bounds: up, without: 'NO_TAKEOVER', shows: stuck },
  { name: 'without: messages run in the order of seq', bounds: up, without: 'NO_ORDER', shows: disorder },
  { name: 'without: only the owner commits', bounds: up, without: 'NO_FENCE', shows: twiceAnswered },
  { name: 'without: a new id at each start', bounds: up, without: 'SAME_ID', shows: stuck },
  { name: 'without: reload after a lost reply', bounds: up, without: 'NO_SECOND_LOOK', shows: stuck },
  { name: 'without: commit only on the version that was read', bounds: both, without: 'NO_CAS', shows: changedFrame },
  {
    name: 'without: answers count only while nothing is open',
    bounds: up,
    without: 'AHEAD_OF_CLAIMS',
    shows: answeredEarly
  },
  {
    name: 'without: answers count only on the newest state',
    bounds: both,
    without: 'AHEAD_OF_COMMITS',
    shows: changedFrame
  },
  { name: 'without: position and frames in one step', bounds: down, without: 'POSITION_APART', shows: stuck },
  { name: 'without (e): unacknowledged frames are repeated', bounds: down, without: 'NO_REPEAT', shows: stuck },
  { name: 'without (e): frames are kept until acknowledged', bounds: down, without: 'EARLY_TRIM', shows: stuck },
  { name: 'without (e): the client drops duplicates', bounds: both, without: 'NO_DROP', shows: twiceAnswered },
  ...callVariants
]
const deeper = [
  { name: 'both ways, three exchanges', bounds: { ...both, EXCHANGES: 3 } },
  { name: 'two messages, three exchanges, three faults', bounds: { ...up, EXCHANGES: 3, FAULTS: 3 } },
  { name: 'three publications, five exchanges', bounds: { MSGS: 0, PUBS: 3, EXCHANGES: 5 } },
  ...deeperCallVariants
]

const { values } = parseArgs({ options: { deep: { type: 'boolean' }, trail: { type: 'string' } } })
const call = promisify(execFile)
let current = []

for (const [command, flag] of Object.entries({ spin: '-V', gcc: '--version' })) {
  if (spawnSync(command, [flag]).error !== undefined) {
    process.stderr.write(`model: ${command} is not installed (apt-get install spin gcc)\n`)
    process.exit(1)
  }
}
const folder = mkdtempSync(join(tmpdir(), 'countersign-model-'))
process.once('exit', () => removeFolder(folder))
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const child of current) child.kill('SIGKILL')
    process.exit(1)
  })
}

async function run(command, args, cwd) {
  const promise = call(command, args, { cwd, timeout: variantMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 })
  current.push(promise.child)
  try {
    return (await promise).stdout
  } catch (error) {
    // pan also exits with a status when it found something: the caller evaluates its output.
    if (error.killed) throw new Error(`${command} took more than ${variantMs / 1000} s`)
    if (command === './pan') return error.stdout
    throw new Error(`${command}: ${error.stdout}${error.stderr}`)
  } finally {
    current = current.filter(child => child !== promise.child)
  }
}

function definesOf({ bounds, without, shows }) {
  const defines = Object.entries(bounds).map(([name, value]) => `-D${name}=${value}`)
  if (without !== undefined) defines.push(`-D${without}`)
  // Breadth-first search finds the shortest trail; where none is expected, depth-first search needs less memory.
  if (shows !== undefined) defines.push('-DSHORTEST')
  return defines
}

/** Runs one variant. @returns what SPIN found, and the number of states */
async function search(variant, cwd) {
  await run('spin', ['-a', ...definesOf(variant), join(models, variant.model ?? bridgeModel)], cwd)
  const kind = variant.cycles ? ['-DNP'] : ['-DSAFETY', ...(variant.shows === undefined ? [] : ['-DBFS'])]
  // Finding a fault takes less time than optimizing the search.
  const speed = variant.shows === undefined ? '-O2' : '-O0'
  await run('gcc', [speed, '-w', '-DNOREDUCE', '-DNOFAIR', `-DMEMLIM=${memoryMiB}`, ...kind, '-o', 'pan', 'pan.c'], cwd)
  const output = await run('./pan', ['-n', `-m${depth}`, ...(variant.cycles ? ['-l'] : [])], cwd)
  const states = Number(/(\d+(?:\.\d+)?(?:e\+?\d+)?) states, stored/.exec(output)?.[1])
  const found = /^pan:\d+: (.*)$/m.exec(output)?.[1]
  const errors = /errors: (\d+)/.exec(output)?.[1]
  const isCut = /max search depth too small|Search not completed|memory limit|out of memory/.test(output)
  if (!Number.isFinite(states) || errors === undefined) throw new Error(`pan: ${output}`)
  if (errors === '0' && isCut) throw new Error(`the search is incomplete: ${output}`)
  return { states, found: errors === '0' ? undefined : (found ?? 'an error') }
}

function newFolder(index) {
  return mkdtempSync(join(folder, `${index}-`))
}

async function check(variant, index) {
  const { name, without, shows } = variant
  const about = variant.model === undefined ? '' : 'calls: '
  const label = `${about}${name}${without === undefined ? '' : ` (${without})`}`
  const began = Date.now()
  let report
  let isGood = false
  try {
    const { states, found } = await search(variant, newFolder(index))
    const took = `${states.toLocaleString('en')} states, ${((Date.now() - began) / 1000).toFixed(1)} s`
    if (shows === undefined) {
      isGood = found === undefined
      report = isGood ? `no fault in ${took}` : `found ${found} in ${took}`
    } else {
      isGood = found?.includes(shows) === true
      report = `${isGood ? 'found' : `should have found ${shows}, found`} ${found ?? 'nothing'} in ${took}`
    }
  } catch (error) {
    report = error.message
  }
  process.stdout.write(`${isGood ? 'ok     ' : 'FAILED '} ${label}: ${report}\n`)
  return isGood
}

/** Prints the shortest trail to the fault when one rule is removed. */
async function showTrail(rule) {
  const variant = variants.find(({ without, shows }) => without === rule && shows !== undefined)
  if (variant === undefined)
    throw new Error(`unknown rule; the rules are ${variants.flatMap(each => each.without ?? [])}`)
  const cwd = newFolder(0)
  const { found } = await search(variant, cwd)
  const { model = bridgeModel } = variant
  if (!existsSync(join(cwd, `${model}.trail`))) throw new Error('nothing was found')
  const args = ['-t', '-B', '-T', '-k', `${model}.trail`, ...definesOf(variant), join(models, model)]
  const { stdout } = await call('spin', args, { cwd, timeout: variantMs }).catch(error => error)
  process.stdout.write(`${variant.name} (${rule}): ${found}\n\n${stdout.replaceAll(/^ +|^spin: .*\n/gm, '')}`)
}

if (values.trail !== undefined) await showTrail(values.trail)
else {
  const all = values.deep ? [...variants, ...deeper] : variants
  const results = []
  let next = 0
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < all.length) {
        const index = next++
        results[index] = await check(all[index], index)
      }
    })
  )
  const failed = results.filter(isGood => !isGood).length
  process.stdout.write(`\n${results.length - failed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 ? 0 : 1
}
