// Attacks on a running gateway, each bounded in time: `npm run test:abuse`, one of them with `-- --only NAME`, another build
// with `-- --program PATH`. The last line is `N passed, N failed`.
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { killGateways, startObserved } from '../helper/observed-gateway.mjs'
import { cleanUp, pause } from '../helper/processes.mjs'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    /** How long each attack lasts. */
    seconds: { type: 'string', default: '10' },
    /** `countersign.mjs` of another build, for comparison. */
    program: { type: 'string' }
  }
})
const seconds = Number(values.seconds)
/** Time of a run beside the attacks themselves. */
const patienceMs = 600_000
const curvePoints = 20

if (!Number.isSafeInteger(seconds) || seconds < 1) {
  process.stderr.write('test:abuse: --seconds must be a positive number\n')
  process.exit(1)
}
const folder = new URL('./scenarios/', import.meta.url)
const names = readdirSync(folder)
  .map(file => file.replace('.mjs', ''))
  .filter(name => values.only === undefined || name === values.only)
if (names.length === 0) {
  process.stderr.write(`test:abuse: there is no attack ${values.only}\n`)
  process.exit(1)
}
process.once('exit', () => {
  killGateways()
  cleanUp()
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
setTimeout(
  () => {
    process.stderr.write('test:abuse took too long\n')
    process.exit(1)
  },
  patienceMs + names.length * seconds * 1000
).unref()

/** At most {@link curvePoints} points of the curve, and its end. */
function shown(curve) {
  const step = Math.ceil(curve.length / curvePoints)
  return curve.filter((_, i) => i % step === 0 || i === curve.length - 1).join(' ')
}

let passed = 0
let failed = 0

function check(what, holds) {
  process.stdout.write(`  ${holds ? 'ok     ' : 'not ok '} ${what}\n`)
  if (holds) passed++
  else failed++
}

async function attack(name) {
  const { title, run, prepare = async () => ({}) } = await import(new URL(`${name}.mjs`, folder).href)
  process.stdout.write(`${name}: ${title}\n`)
  const options = await prepare()
  if (options.skip !== undefined) {
    process.stdout.write(`  skipped: ${options.skip}\n`)
    return
  }
  const program = values.program === undefined ? {} : { program: resolve(values.program) }
  const gateway = await startObserved({ ...options, ...program })
  try {
    const { checks, measured } = await run({ gateway, seconds, pause, context: options.context })
    for (const [what, holds] of checks) check(what, holds)
    process.stdout.write(`  ${JSON.stringify(measured)}\n`)
  } catch (error) {
    check(error instanceof Error ? error.stack : String(error), false)
  } finally {
    check('the gateway is still running', gateway.isRunning())
    process.stdout.write(`  resident memory, MiB: ${shown(gateway.curve)} (peak ${Math.max(...gateway.curve)})\n`)
    await gateway.stop()
  }
}

for (const name of names) await attack(name)
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)
