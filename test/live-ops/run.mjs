// The example examples/live-ops, started as its README states: with game servers in Luau, and its panel in Chromium:
// `npm run test:live-ops`. The last line is `N passed, N failed`.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { checkCommands } from './commands.mjs'
import { checkPanel } from './panel.mjs'

const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = browsers.find(existsSync)
if (executablePath === undefined) {
  process.stderr.write('test:live-ops needs Chromium: apt-get install chromium\n')
  process.exit(1)
}

const allMs = 240_000
const counts = { passed: 0, failed: 0 }
setTimeout(() => {
  process.stderr.write('test:live-ops took too long\n')
  process.exit(1)
}, allMs).unref()

async function check(name, run) {
  const startedAt = performance.now()
  try {
    await run()
    counts.passed++
    process.stdout.write(`ok      ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)\n`)
  } catch (error) {
    counts.failed++
    process.stdout.write(`FAILED  ${name}\n        ${String(error.stack ?? error).replaceAll('\n', '\n        ')}\n`)
  }
}

const parts = process.argv.slice(2)
async function runPart(name, work) {
  if (parts.length > 0 && !parts.includes(name)) return
  const startedAt = performance.now()
  try {
    await work()
  } catch (error) {
    counts.failed++
    process.stdout.write(`FAILED  ${name}: ${error.stack}\n`)
  }
  process.stdout.write(`        ${name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`)
}

// Builds dist, if it is missing or old.
execFileSync(process.execPath, ['bin/countersign.mjs', '--version'], { stdio: 'ignore' })
const { createClient } = await import('../../dist/client/node.js')

await runPart('panel', async () => {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run'] })
  try {
    await checkPanel({ browser, createClient, check })
  } finally {
    await browser.close()
  }
})
await runPart('commands', () => checkCommands({ createClient, check }))

process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`)
process.exit(counts.failed === 0 ? 0 : 1)
