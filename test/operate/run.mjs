// Operations on a running gateway and its Redis: `npm run test:operate`, one case with `-- --only NAME`. Each file of
// cases/ exports a title, `run({ check })`, and the rows of the symptom table in docs/operating.md that it walks. The
// last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { killGateways } from '../helper/observed-gateway.mjs'
import { cleanUp } from '../helper/processes.mjs'

const { values } = parseArgs({ options: { only: { type: 'string' } } })
/** Time of one case. */
const caseMs = 180_000

if (spawnSync('redis-server', ['--version']).error !== undefined) {
  process.stderr.write('test:operate needs redis-server (apt-get install redis-server)\n')
  process.exit(1)
}
const folder = new URL('./cases/', import.meta.url)
const names = readdirSync(folder)
  .map(file => file.replace('.mjs', ''))
  .filter(name => values.only === undefined || name === values.only)
if (names.length === 0) {
  process.stderr.write(`test:operate: there is no case ${values.only}\n`)
  process.exit(1)
}
process.once('exit', () => {
  killGateways()
  cleanUp()
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

let passed = 0
let failed = 0

/** @param detail  shown when it does not hold */
function check(what, holds, detail) {
  process.stdout.write(`  ${holds ? 'ok     ' : 'not ok '} ${what}\n`)
  if (holds) passed++
  else {
    failed++
    if (detail !== undefined)
      process.stdout.write(`    ${typeof detail === 'string' ? detail : JSON.stringify(detail)}\n`)
  }
}

/** A case that takes too long fails; the processes that it started end with the run. */
async function within(limitMs, work) {
  let timer
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not over within ${limitMs} ms`)), limitMs)
  })
  await Promise.race([work, timeout]).finally(() => clearTimeout(timer))
}

for (const name of names) {
  const { title, run } = await import(new URL(`${name}.mjs`, folder).href)
  process.stdout.write(`${name}: ${title}\n`)
  try {
    await within(caseMs, run({ check }))
  } catch (error) {
    check(error instanceof Error ? error.stack : String(error), false)
  }
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)
