// Long runs of the Luau SDK on a simulated clock: npm run test:storm, after the storm. HOURS (24) and SEEDS (100) shorten them.
import { runLuau } from './processes.mjs'

let passed = 0
let failed = 0
for (const name of ['limit', 'day']) {
  const startedAt = performance.now()
  const { code, errors } = await runLuau(`roblox/test/soak/${name}.luau`, {}, line => {
    if (line.startsWith('ok ')) passed += 1
    if (line.startsWith('not ok ')) failed += 1
    if (!line.startsWith('1..')) console.log(line)
  })
  if (code !== 0) {
    failed += 1
    console.log(`${name}: ended with ${code}\n${errors}`)
  }
  console.log(`${name}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
