// Runs the Luau tests in lune: npm run test:lune, with lune on the PATH or named by LUNE. `npm test` runs them in luau-web,
// and also in lune if it is installed.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { runLuau, startGateway } from './processes.mjs'

process.env.LUNE ??= 'lune'
const { LUNE } = process.env
if (spawnSync(LUNE, ['--version'], { stdio: 'ignore' }).status !== 0) {
  console.log(`${LUNE} not found: run cargo install lune --locked, or set LUNE=/path/to/lune`)
  process.exit(1)
}

let passed = 0
let failed = 0

async function run(file, environment = {}) {
  const before = passed + failed
  const { code, errors } = await runLuau(file, environment, line => {
    if (line.startsWith('ok ')) passed += 1
    if (line.startsWith('not ok ')) {
      failed += 1
      console.log(`${file}: ${line}`)
    }
    if (line.startsWith('  message: ')) console.log(line)
  })
  if (passed + failed === before || (code !== 0 && failed === 0)) {
    failed += 1
    console.log(`${file}: ended with ${code}\n${errors}`)
  }
}

for (const name of readdirSync('roblox/test').filter(name => name.endsWith('.spec.luau'))) {
  await run(`roblox/test/${name}`)
}
const gateway = await startGateway({ COUNTERSIGN_PRESENCE: 'here.*' })
for (const file of ['messages', 'credentials', 'newest', 'directory', 'presence', 'calls']) {
  await run(`roblox/test/live/${file}.luau`, { GATEWAY_URL: gateway.url, ADMIN_TOKEN: gateway.token })
}
await gateway.stop()
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
