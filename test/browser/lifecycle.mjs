// The SDK in pages that go offline, are hidden, frozen, or kept in the back–forward cache.
import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'
import { checkHidden } from './hidden.mjs'

const backMs = 3000
const heartbeatTimeoutMs = 13_000

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Runs in the page. */
async function createInPage({ url, credential }) {
  const { createClient } = await import('/demo/countersign-client.js')
  const client = createClient({ url, credential })
  const events = []
  for (const name of ['state', 'lost', 'trouble']) client.on(name, event => events.push([name, event]))
  Object.assign(window, { client, events })
  client.connect()
}

const sessionOf = page => page.evaluate(() => window.client.session?.sessionId)

async function connected(page, withinMs) {
  await page.waitForFunction(() => window.client?.state === 'connected', undefined, { timeout: withinMs })
}

/**
 * @param {object} tools  check: runs a named check; startGateway: starts one with settings
 */
export async function checkLifecycle({ executablePath, args, check, startGateway }) {
  const gateway = await startGateway({
    COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS: '2',
    COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: String(heartbeatTimeoutMs / 1000)
  })
  const credential = await gateway.post('clients', { clientId: 'lifecycle-1', publish: ['c'], subscribe: ['c'] })
  const browser = await chromium.launch({
    executablePath,
    args,
    // Playwright switches it off by default.
    ignoreDefaultArgs: ['--disable-back-forward-cache']
  })
  const openClient = async page => {
    await page.evaluate(createInPage, { url: gateway.wsUrl, credential })
    await connected(page, 10_000)
  }
  const open = async () => {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${gateway.url}/demo`)
    return { context, page, create: () => page.evaluate(createInPage, { url: gateway.wsUrl, credential }) }
  }
  try {
    await check('bug: a page that is offline for 3 s at first load is back within 3 s of `online`', async () => {
      const { context, page, create } = await open()
      await page.evaluate(() => import('/demo/countersign-client.js'))
      await context.setOffline(true)
      await create()
      await pause(3000)
      assert.equal(await page.evaluate(() => window.client.state), 'connecting')
      assert.equal(await page.evaluate(() => window.events.filter(([name]) => name === 'trouble').length), 1)
      await context.setOffline(false)
      await connected(page, backMs)
      await context.close()
    })

    await check('a frozen page is back within 3 s, with the publications that it missed', async () => {
      const { context, page, create } = await open()
      await create()
      await connected(page, 10_000)
      await page.evaluate(async () => {
        window.received = []
        await window.client.subscribe('c', ({ data }) => window.received.push(data)).ready
      })
      const devtools = await context.newCDPSession(page)
      await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
      await pause(20_000)
      await devtools.send('Page.setWebLifecycleState', { state: 'active' })
      await connected(page, backMs + 5000)
      await page.evaluate(() => window.client.publish('c', 'after'))
      await page.waitForFunction(() => window.received.includes('after'), undefined, { timeout: backMs })
      await context.close()
    })

    await check('a page from the back–forward cache is connected', async () => {
      const { context, page, create } = await open()
      await create()
      await connected(page, 10_000)
      await page.goto(`${gateway.url}/livez`)
      await page.goBack({ waitUntil: 'commit' })
      // Without the cache the page was loaded again, and has no client.
      if (await page.evaluate(() => window.client !== undefined)) await connected(page, backMs)
      else process.stdout.write('        this Chromium keeps no page with a WebSocket\n')
      await context.close()
    })

    await check('runs without features that Safari 15.0 lacks', async () => {
      const { context, page, create } = await open()
      await page.evaluate(() => {
        for (const [owner, name] of [
          [Object, 'hasOwn'],
          [Array.prototype, 'at'],
          [String.prototype, 'at'],
          [URL, 'canParse'],
          [globalThis, 'structuredClone'],
          [globalThis, 'reportError'],
          [Array.prototype, 'findLast'],
          [AbortSignal, 'timeout']
        ])
          delete owner[name]
      })
      await create()
      await connected(page, 10_000)
      assert.equal((await page.evaluate(() => window.client.publish('c', { text: '😀' }))).channel, 'c')
      await context.close()
    })
  } finally {
    await browser.close()
  }
  const url = `${gateway.url}/demo`
  await checkHidden({ executablePath, args, check, url, openClient, sessionOf, pause, heartbeatTimeoutMs })
}
