import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseCsv } from '../../src/cli/import/csv.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { tempDir } from '../helper/process.js'
import { cli, type RunOptions } from './io.js'

const env = { COUNTERSIGN_ADMIN_TOKEN: testAdminToken }

t.test('imports licenses into a gateway and exports them again', async t => {
  const gateway = await startGateway(t)
  const run = (args: string[], options: RunOptions = {}) => cli([...args, '--url', gateway.url], { env, ...options })
  const header = 'serviceId,key,maxHwids,expiresAt,attributes.order\n'
  const rows = Array.from({ length: 1200 }, (_, i) => `shop,KEY-${i},2,2030-01-31,"o, ${i}"\n`).join('')
  const stdin = header + rows
  t.match(await run(['licenses', 'import', '-', '--format', 'csv'], { stdin }), { code: 0, out: /^1200 licenses/ })

  const again = `${header}shop,NEW-1,,,\nshop,KEY-7,,,\n`
  const refused = await run(['licenses', 'import', '-', '--format', 'csv'], { stdin: again })
  t.match(refused, { code: 1, err: /line 3: .+Nothing was imported\n$/ })

  const all = JSON.parse((await run(['licenses', 'export', '--format', 'json'])).out)
  t.equal(all.length, 1200, 'none of the refused file')
  t.match(all[0], { serviceId: 'shop', maxHwids: 2, expiresAt: '2030-01-31T00:00:00.000Z' })

  const file = join(tempDir(t), 'out.csv')
  const exported = await run(['licenses', 'export', '--out', file])
  t.match(exported, { code: 0, out: '', err: /^1200 licenses in/ })
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.notOk(existsSync(`${file}.part`))
  const records: (readonly string[])[] = []
  parseCsv(readFileSync(file, 'utf8'), ({ fields }) => records.push(fields))
  const [columns, first] = records
  t.equal(columns?.[0], 'licenseId')
  t.equal(first?.length, columns?.length)
  t.match(first?.at(-1), /^\{"order":"o, \d+"\}$/)
  t.notMatch(readFileSync(file, 'utf8'), 'KEY-', 'no key')

  const lines = (await run(['licenses', 'export', '--format', 'ndjson'])).out.trim().split('\n')
  t.same(
    lines.map(line => JSON.parse(line)),
    all
  )
  const cut = join(tempDir(t), 'cut.json')
  t.match(await cli(['licenses', 'export', '--out', cut, '--url', 'http://127.0.0.1:1'], { env }), { code: 1 })
  t.notOk(existsSync(cut) || existsSync(`${cut}.part`), 'no partial file')
  const empty = await startGateway(t)
  t.match(await cli(['licenses', 'export', '--format', 'json', '--url', empty.url], { env }), { code: 0, out: '[]\n' })
})
