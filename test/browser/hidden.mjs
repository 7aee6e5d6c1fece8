// The SDK in a tab that Chromium really hides: behind another tab of one window, where timers run once a minute.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { removeFolder } from '../helper/remove-folder.mjs'

/** Chromium slows the timers of hidden tabs after 5 minutes; here after 1 s. */
const throttling = '--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1'
/** The throttling begins within 15 s, and at most one wake-up divides the rest. */
const hiddenMs = 45_000
const startMs = 30_000

/** Starts Chromium with one window. Playwright's own start switches the throttling off, and gives every page the focus. */
async function startChromium(executablePath, args, folder) {
  const all = [...args, throttling, '--headless=new', '--remote-debugging-port=0', `--user-data-dir=${folder}`]
  const child = spawn(executablePath, [...all, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = new Promise(resolve => child.once('exit', resolve))
  const endpoint = await new Promise((resolve, reject) => {
    let output = ''
    const timer = setTimeout(() => reject(new Error(`Chromium did not start:\n${output}`)), startMs)
    child.stderr.setEncoding('utf8').on('data', text => {
      output += text
      const [, found] = /DevTools listening on (ws:\S+)/.exec(output) ?? []
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    })
  })
  const stop = async () => {
    child.kill('SIGKILL')
    await exited
  }
  return { endpoint, stop }
}

/** Runs in the page: notes when a chain of timers of 1 s runs. */
function noteTicks() {
  window.ticks = []
  const next = () => {
    window.ticks.push(Date.now())
    setTimeout(next, 1000)
  }
  next()
}

/** Runs in the page. @returns the longest time without a tick, in milliseconds */
function longestSilence() {
  const ticks = [...window.ticks, Date.now()]
  return Math.max(...ticks.slice(1).map((at, i) => at - ticks[i]))
}

/**
 * @param tools  check: runs a named check; openClient: creates a client in a page and waits for its session; sessionOf:
 *   its session id; pause: waits; heartbeatTimeoutMs: of the gateway
 */
export async function checkHidden({
  executablePath,
  args,
  check,
  url,
  openClient,
  sessionOf,
  pause,
  heartbeatTimeoutMs
}) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-hidden-'))
  const { endpoint, stop } = await startChromium(executablePath, args, folder)
  try {
    const browser = await chromium.connectOverCDP(endpoint, { noDefaults: true })
    const [context] = browser.contexts()
    const [page] = context.pages()
    const visibility = () => page.evaluate(() => document.visibilityState)
    await page.goto(url)
    await openClient(page)
    const session = await sessionOf(page)
    await page.evaluate(noteTicks)

    await check('bug: a hidden tab lost its session', async () => {
      assert.equal(await visibility(), 'visible')
      const other = await context.newPage()
      await other.bringToFront()
      await page.waitForFunction(() => document.visibilityState === 'hidden', undefined, { polling: 100 })
      await pause(hiddenMs)
      const silenceMs = await page.evaluate(longestSilence)
      process.stdout.write(`        no timer ran for ${Math.round(silenceMs / 1000)} s\n`)
      assert.ok(silenceMs > heartbeatTimeoutMs, 'its timers were not slowed down')
      assert.equal(await visibility(), 'hidden')
      assert.equal(await sessionOf(page), session)
      assert.equal(await page.evaluate(() => window.client.state), 'connected')
      assert.deepEqual(await page.evaluate(() => window.events.filter(([name]) => name === 'lost')), [])
      await other.close()
    })

    await check('a tab that becomes visible again keeps its session, and publishes at once', async () => {
      await page.bringToFront()
      await page.waitForFunction(() => document.visibilityState === 'visible', undefined, { polling: 100 })
      assert.equal((await page.evaluate(() => window.client.publish('c', 'visible'))).channel, 'c')
      assert.equal(await sessionOf(page), session)
    })
    await browser.close()
  } finally {
    await stop()
    removeFolder(folder)
  }
}
