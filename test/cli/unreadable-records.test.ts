import t from 'tap'
import { serveHttp } from './helper.js'
import { cli } from './io.js'

/** Lists of a gateway with records that do not open. */

const ids = Array.from({ length: 12 }, (_, i) => `c${i}`)

/** Two pages: one without an item, one with an item. */
function pageAt(url = ''): object {
  const item = { clientId: 'z', licenseId: 'z', serviceId: 's', status: 'active' }
  return url.includes('after=') ? { items: [item] } : { items: [], unreadable: [...ids, 'x\u001b[2J'], next: 'c9' }
}

t.test('bug: lists and exports silently omitted unreadable records', async t => {
  const url = await serveHttp(t, (request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(pageAt(request.url)))
  })
  const env = { COUNTERSIGN_ADMIN_TOKEN: 'a'.repeat(32) }
  const ask = (...args: string[]) => cli([...args, '--url', url], { env })
  const note = /clients that do not open and are left out: 13 \(c0 c1 .* c9 …\)\. .*: countersign clients delete c0\n/
  for (const options of [[], ['--json'], ['--all'], ['--all', '--json']]) {
    const { code, err } = await ask('clients', 'list', ...options)
    t.equal(code, 0)
    t.match(err, note, options.join(' '))
    t.match(err, /master key is missing: .* changed, damaged or lost in the store: restore a backup, or remove them/)
    t.notOk(err.includes('\u001b') || err.includes('none'))
  }
  t.equal(JSON.parse((await ask('clients', 'list', '--json')).out).unreadable.length, 13, 'JSON as it came')
  const exported = await ask('licenses', 'export', '--format', 'ndjson')
  t.equal(exported.code, 1, 'an export is not complete')
  t.match(exported.out, /^\{.*\}\n$/)
  t.match(exported.err, /licenses that do not open and are left out: 13/)
})
