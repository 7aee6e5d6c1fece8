// Attacks on a running gateway, each bounded in time: `npm run test:abuse`, one of them with `-- --only NAME`.
// The last line counts.
import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { cleanUp, startGateway } from './gateway.mjs'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    /** How long each attack lasts. */
    seconds: { type: 'string', default: '10' },
    /** Another build to attack, for comparison. */
    program: { type: 'string' }
  }
})
const seconds = Number(values.seconds)
const limitMs = 600_000
const curvePoints = 20

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

process.once('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
setTimeout(() => {
  process.stderr.write('test:abuse took too long\n')
  process.exit(1)
}, limitMs).unref()

function shown(curve) {
  const step = Math.max(1, Math.ceil(curve.length / curvePoints))
  return curve.filter((_, i) => i % step === 0).join(' ')
}

const folder = new URL('./scenarios/', import.meta.url)
const names = readdirSync(folder)
  .map(file => file.replace('.mjs', ''))
  .filter(name => values.only === undefined || name === values.only)
let passed = 0
let failed = 0

for (const name of names) {
  const { title, run, options = {} } = await import(new URL(`${name}.mjs`, folder).href)
  process.stdout.write(`${name}: ${title}\n`)
  const gateway = await startGateway({ ...options, ...(values.program === undefined ? {} : { program: values.program }) })
  try {
    const { checks, facts } = await run({ gateway, seconds, pause })
    for (const [what, holds] of [...checks, ['the gateway is still running', gateway.isRunning()]]) {
      process.stdout.write(`  ${holds ? 'ok     ' : 'not ok '} ${what}\n`)
      if (holds) passed++
      else failed++
    }
    process.stdout.write(`  ${JSON.stringify(facts)}\n  memory, MiB: ${shown(gateway.curve)}\n`)
  } catch (error) {
    failed++
    process.stdout.write(`  not ok  ${error instanceof Error ? error.stack : error}\n`)
  } finally {
    await gateway.stop()
  }
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)
