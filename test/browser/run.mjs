// The demo page and the SDK's bundle in a real Chromium, against a real gateway: `npm run test:browser`. The last line is
// `N passed, N failed`.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'
import { chromium } from 'playwright-core'
import { checkDocs } from './docs.mjs'
import { createGateway } from './gateway.mjs'
import { checkLifecycle } from './lifecycle.mjs'

const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = browsers.find(existsSync)
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync'
]
/** Longest time for one step in the page. */
const stepMs = 15_000
/** For a gateway to restart, perhaps with a build, and a client to reconnect after its longest pause. */
const returnMs = 150_000
const allMs = 600_000
const bundleBytes = 16 * 1024

if (executablePath === undefined) {
  process.stderr.write('test:browser needs Chromium: apt-get install chromium\n')
  process.exit(1)
}

const gateways = []
const counts = { passed: 0, failed: 0 }
process.once('exit', () => {
  for (const gateway of gateways) gateway.discard()
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
setTimeout(() => {
  process.stderr.write('test:browser took too long\n')
  process.exit(1)
}, allMs).unref()

async function check(name, run) {
  try {
    await run()
    counts.passed++
    process.stdout.write(`ok      ${name}\n`)
  } catch (error) {
    counts.failed++
    process.stdout.write(`FAILED  ${name}\n        ${String(error.stack ?? error).replaceAll('\n', '\n        ')}\n`)
  }
}

async function startGateway(settings) {
  const gateway = await createGateway(settings)
  gateways.push(gateway)
  await gateway.start()
  return gateway
}

/** A page, with the errors and warnings of its console and its CSP. */
async function openPage(browser, url) {
  const context = await browser.newContext()
  context.setDefaultTimeout(stepMs)
  const page = await context.newPage()
  const complaints = []
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', event => console.error(`CSP: ${event.violatedDirective}`))
  })
  const response = await page.goto(url)
  return { context, page, complaints, response }
}

/** Serves an empty page from another origin. */
async function servePage() {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><link rel="icon" href="data:,"><title>elsewhere</title>')
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** The outcome of a socket that a page opens: `challenge` or `closed`. */
function trySocket(page, url) {
  return page.evaluate(
    address =>
      new Promise(resolve => {
        const socket = new WebSocket(address, 'countersign.v1')
        socket.onmessage = ({ data }) => resolve(JSON.parse(data).type)
        socket.onclose = () => resolve('closed')
      }),
    url
  )
}

const browser = await chromium.launch({ executablePath, args })
try {
  const gateway = await startGateway()
  const { clientId, keyId, secret } = await gateway.post('clients', { clientId: 'browser-1' })
  await gateway.post('licenses', { serviceId: 'example_service', key: 'example_key', maxHwids: 1 })

  const { context, page, complaints, response } = await openPage(browser, `${gateway.url}/demo`)
  const state = name => page.locator(`#state[data-state="${name}"]`).waitFor()
  const verdict = code => page.locator('#verdict .badge', { hasText: new RegExp(`^${code}$`) }).waitFor()
  const frames = selector => page.locator(`.frame${selector}`).count()
  const validate = async hwid => {
    await page.getByLabel('Hardware').fill(hwid)
    await page.getByRole('button', { name: 'Validate' }).click()
  }
  const connect = async given => {
    await page.getByLabel('Client id').fill(clientId)
    await page.getByLabel('Key id').fill(keyId)
    await page.getByLabel('Secret').fill(given)
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
  }

  await check('the page has a strict policy and suggests the gateway that served it', async () => {
    assert.match(response.headers()['content-security-policy'], /^default-src 'none'; script-src 'self'/)
    assert.equal(await page.getByLabel('Gateway').inputValue(), gateway.wsUrl)
    await state('disconnected')
  })

  await check('shows a wrong secret as an error, and does not connect', async () => {
    await connect('not-the-secret')
    await page.locator('#message', { hasText: /Not connected: AUTHENTICATION_FAILED/ }).waitFor()
    await state('disconnected')
    assert.equal(await frames('[data-type="welcome"]'), 0)
    assert.equal(await frames('[data-direction="down"][data-mark="verified"]'), 0)
  })

  await check('accepts the output of setup by paste, and connects', async () => {
    await page.getByLabel('Client id').evaluate((field, text) => {
      const clipboardData = new DataTransfer()
      clipboardData.setData('text', text)
      field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
    }, `export CLIENT_ID=${clientId} KEY_ID=${keyId} CLIENT_SECRET=${secret}`)
    assert.equal(await page.getByLabel('Secret').inputValue(), secret)
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await state('connected')
    assert.match(await page.locator('#session').textContent(), new RegExp(`${clientId}\\s*${keyId}`))
  })

  await check('validate shows VALID, with the hwid binding', async () => {
    await validate('example_hwid')
    await verdict('VALID')
    assert.match(await page.locator('#verdict').textContent(), /1 of 1 bound/)
  })

  await check('other hardware gets HWID_MISMATCH', async () => {
    await validate('other_hwid')
    await verdict('HWID_MISMATCH')
  })

  await check('lists the frames, all signed and verified except the challenge', async () => {
    const listed = await page
      .locator('.frame:not([data-type="heartbeat"])')
      .evaluateAll(rows => rows.map(({ dataset }) => `${dataset.direction} ${dataset.type} ${dataset.mark}`).reverse())
    assert.deepEqual(listed, [
      'down challenge unsigned',
      'up authenticate signed',
      'down welcome verified',
      'up validate signed',
      'down validation verified',
      'up validate signed',
      'down validation verified'
    ])
  })

  await check('opens a frame, with its signature separate', async () => {
    const row = page.locator('.frame[data-type="validation"]').first()
    await row.locator('summary').click()
    const message = JSON.parse(await row.locator('.json').textContent())
    assert.equal(message.code, 'HWID_MISMATCH')
    assert.equal(message.signature, undefined)
    assert.match(await row.locator('.signature code').textContent(), /^[0-9a-f]{64}$/)
  })

  for (const [name, mark, outcomeText] of [
    ['Replay a frame', 'replayed', /Refused by the gateway: SEQUENCE_INVALID/],
    ['Change a byte', 'changed', /Refused by the gateway: SIGNATURE_INVALID/],
    ['Drop a frame', 'dropped', /Refused by the gateway: SEQUENCE_INVALID/],
    ['Forge a VALID', 'forged', /Refused by this page: the signature does not verify/]
  ]) {
    await check(`in the middle: ${name.toLowerCase()} is detected, and the client reconnects`, async () => {
      await page.getByRole('button', { name }).click()
      const outcome = page.locator('#outcome', { hasText: 'Connected again' })
      await outcome.waitFor()
      assert.match(await outcome.textContent(), outcomeText)
      assert.equal(await frames(`[data-mark="${mark}"]`), 1)
      await state('connected')
    })
  }

  await check('the forged VALID had no effect', () => verdict('NOT_FOUND'))

  await check('the console has no errors or warnings', () => assert.deepEqual(complaints, []))

  await check('the page reconnects by itself after the gateway restarts', async () => {
    const session = await page.locator('#session').textContent()
    assert.equal(await gateway.stop(), 0)
    await state('connecting')
    await gateway.start()
    await page.locator('#state[data-state="connected"]').waitFor({ timeout: returnMs })
    assert.notEqual(await page.locator('#session').textContent(), session)
    await validate('example_hwid')
    await verdict('VALID')
    // The browser logs each failed connection; a page cannot prevent that.
    const others = complaints.filter(text => !/^WebSocket connection to 'ws:\S+' failed/.test(text))
    assert.deepEqual(others, [])
  })

  await check('the credential is stored nowhere', async () => {
    assert.deepEqual(await context.storageState({ indexedDB: true }), { cookies: [], origins: [] })
    assert.equal(await page.evaluate(() => sessionStorage.length), 0)
    assert.equal(page.url(), `${gateway.url}/demo`)
  })

  await check('disconnect sends bye and does not reconnect', async () => {
    await page.getByRole('button', { name: 'Disconnect' }).click()
    await state('disconnected')
    const newest = page.locator('.frame')
    const types = await Promise.all([0, 1].map(i => newest.nth(i).getAttribute('data-type')))
    assert.deepEqual(types, ['ack', 'bye'], 'the session ends when the gateway has acknowledged it')
  })
  await context.close()

  await checkDocs({ browser, gateway, check, openPage })

  await check(`the client's bundle has at most ${bundleBytes} bytes, gzipped`, async () => {
    const bundle = await fetch(`${gateway.url}/demo/countersign-client.js`)
    assert.equal(bundle.status, 200)
    const { length } = gzipSync(Buffer.from(await bundle.arrayBuffer()))
    process.stdout.write(`        ${length} bytes\n`)
    assert.ok(length > 0 && length <= bundleBytes, `${length} bytes`)
  })

  await checkLifecycle({ executablePath, args, check, startGateway })

  const elsewhere = await servePage()
  const { port } = elsewhere.address()
  await check('refuses a page from a foreign origin, and accepts one from loopback', async () => {
    const foreign = await openPage(browser, `http://foreign.localhost:${port}/`)
    assert.equal(await trySocket(foreign.page, gateway.wsUrl), 'closed')
    assert.match(foreign.complaints.join(), /Unexpected response code: 403/)
    await foreign.context.close()
    const loopback = await openPage(browser, `http://localhost:${port}/`)
    assert.equal(await trySocket(loopback.page, gateway.wsUrl), 'challenge')
    await loopback.context.close()
  })
  elsewhere.close()

  await check('refuses an origin that is not on the list, and the page shows why', async () => {
    const strict = await startGateway({ COUNTERSIGN_ALLOWED_ORIGINS: 'https://example.com' })
    const own = await openPage(browser, `${strict.url}/demo`)
    await own.page.getByLabel('Client id').fill('browser-1')
    await own.page.getByLabel('Secret').fill('any')
    await own.page.getByRole('button', { name: 'Connect', exact: true }).click()
    await own.page.locator('#message', { hasText: /Not connected: .*COUNTERSIGN_ALLOWED_ORIGINS/ }).waitFor()
    await own.page.locator('#state[data-state="disconnected"]').waitFor()
    assert.match(own.complaints.join(), /Unexpected response code: 403/)
    await own.context.close()
  })
} catch (error) {
  counts.failed++
  process.stdout.write(`FAILED  ${error.stack}\n`)
} finally {
  await browser.close()
  for (const gateway of gateways) await gateway.stop()
}

process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`)
process.exit(counts.failed === 0 ? 0 : 1)
