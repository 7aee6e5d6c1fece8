import { Writable } from 'node:stream'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load.js'
import { testAdminToken, testMasterKey } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'

/** The log lines about requests at a level. */
async function linesAt(test: Test, level: string, urls: readonly string[]): Promise<string[]> {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    }
  })
  const { store } = await stores.embedded(test, Date.now)
  const { config } = loadConfig({ COUNTERSIGN_RATE_LIMIT: 'off' })
  const app = await buildApp({
    ...{ config, store, masterKeys: [testMasterKey], adminToken: testAdminToken },
    logger: pino({ level }, stream)
  })
  test.teardown(() => app.server.close())
  for (const url of urls) await app.server.inject({ method: 'POST', url, payload: '{}' })
  return lines.filter(line => /incoming request|request (completed|refused)/.test(line))
}

const exchange = `/v1/bridge/sessions/${'s'.repeat(32)}/exchange`

t.test('logs polls and challenges of the bridge at debug, not at info', async t => {
  const frequent = [exchange, '/v1/bridge/challenge']
  t.same(await linesAt(t, 'info', frequent), [])
  t.equal((await linesAt(t, 'debug', frequent)).length, 4)
})

t.test('logs other requests once at info', async t => {
  t.equal((await linesAt(t, 'info', ['/v1/bridge/sessions', '/v1/publish'])).length, 2)
})
