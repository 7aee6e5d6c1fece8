import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { checkRows } from '../../src/cli/import/check.js'
import { CsvFault, formatCsv, parseCsv } from '../../src/cli/import/csv.js'
import { type Format, readRows } from '../../src/cli/import/read.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { type Program, run as runProgram, tempDir } from '../helper/process.js'
import { cli, type RunOptions } from './io.js'

/** Many licenses at once: what a file may hold, and that it is all or nothing. */

const env = { COUNTERSIGN_ADMIN_TOKEN: testAdminToken }

function parse(text: string): (string[] | number)[][] {
  return [...parseCsv(text)].map(({ line, fields }) => [line, [...fields]])
}

/** What `--check` finds: `line: text`. */
function faultsOf(text: string, format: Format): string[] {
  return checkRows(readRows(text, format)).faults.map(fault => `${fault.line}: ${fault.text}`)
}

function licensesOf(text: string, format: Format) {
  const { licenses, faults } = checkRows(readRows(text, format))
  return { licenses: licenses.map(({ license }) => license), lines: licenses.map(({ line }) => line), faults }
}

function csvOf(count: number): string {
  return `serviceId,key\n${Array.from({ length: count }, (_, i) => `shop,KEY-${i}\n`).join('')}`
}

// ── Forms ────────────────────────────────────────────────────────────────────────────────────────────────────────────

t.test('CSV by RFC 4180', async t => {
  t.same(parse('a,b\r\nc,d\r\n'), [
    [1, ['a', 'b']],
    [2, ['c', 'd']]
  ])
  t.same(
    parse('\ufeffa,b\nc,'),
    [
      [1, ['a', 'b']],
      [2, ['c', '']]
    ],
    'a byte order mark, LF, no last line end'
  )
  t.same(parse('"a ""x"", y","b\r\nb"\r\n\r\nlast,""'), [
    [1, ['a "x", y', 'b\r\nb']],
    [4, ['last', '']]
  ])
  t.same(parse(''), [])
  t.same(parse('\n\n'), [])
  t.same(parse('""\n'), [[1, ['']]], 'an empty line has no quotes')
  for (const [text, line, why] of [
    ['a\n"b', 2, /never closed/],
    ['a\n\n"b"c', 3, /follows the closing quote/],
    ['a"b', 1, /not quoted/],
    ['a\rb', 1, /lone carriage return/]
  ] as const) {
    try {
      parse(text)
      t.fail(text)
    } catch (error) {
      t.ok(error instanceof CsvFault)
      t.match(error, { line, message: why })
    }
  }
  const field = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r\n', ' ', 'é', ';') })
  const records = fc.array(fc.array(field, { minLength: 2, maxLength: 5 }), { maxLength: 6 })
  fc.assert(
    fc.property(records, written => {
      const read = [...parseCsv(written.map(formatCsv).join(''))].map(({ fields }) => fields)
      t.same(read, written)
    })
  )
})

t.test('three forms, one meaning', async t => {
  const first = { serviceId: 'shop', key: 'A, "1"', maxHwids: 2, expiresAt: '2030-01-31', attributes: { order: '7' } }
  const wanted = [
    { ...first, expiresAt: '2030-01-31T00:00:00.000Z' },
    { serviceId: 'shop', key: 'B' }
  ]
  const csv =
    '\ufeffkey,serviceId,maxHwids,maxSessions,startsAt,expiresAt,attributes.order\r\n"A, ""1""",shop,2,,,2030-01-31,7\r\nB,shop,,,,,\r\n'
  const [a, b] = [JSON.stringify(first), '{"serviceId":"shop","key":"B"}']
  t.match(licensesOf(csv, 'csv'), { licenses: wanted, lines: [2, 3], faults: [] })
  t.match(licensesOf(`${a}\r\n\r\n${b}`, 'ndjson'), { licenses: wanted, lines: [1, 3], faults: [] })
  t.match(licensesOf(`[\n${a},\n\n${b}\n]`, 'json'), { licenses: wanted, lines: [2, 4], faults: [] })
  t.match(licensesOf(` [${a}, ${b}]`, 'json'), { licenses: wanted, lines: [1, 1], faults: [] })
  t.match(licensesOf('[]', 'json'), { licenses: [], faults: [] })
  const tricky = { serviceId: 's', key: '],[{"\\', attributes: { a: '}\n' } }
  t.match(
    licensesOf(
      JSON.stringify(
        [tricky, tricky].map((each, i) => ({ ...each, key: `${each.key}${i}` })),
        null,
        2
      ),
      'json'
    ),
    {
      lines: [2, 9],
      faults: []
    }
  )
})

t.test('every fault is told by its line, and no value with it', async t => {
  const csv = `serviceId,key,maxHwids,maxSessions,startsAt,expiresAt,attributes.a
shop,SECRET-1,0,,,,
s hop,SECRET-2,,1000001,,,
shop,,,,2030-02-31,2030-01-01T00:00:00,
shop,SECRET-3,,,,,,
shop,SECRET-1,,,,,
shop,${'k'.repeat(257)},two,,,,${'v'.repeat(129)}
`
  const faults = faultsOf(csv, 'csv')
  t.same(
    faults.map(each => each.split(' ').slice(0, 2).join(' ')),
    [
      '2: maxHwids:',
      '3: serviceId:',
      '3: maxSessions:',
      '4: key',
      '4: startsAt:',
      '4: expiresAt:',
      '5: 8',
      '6: the',
      '7: key:',
      '7: maxHwids:',
      '7: attributes:'
    ]
  )
  t.match(faults[7], '6: the same serviceId and key as on line 2')
  t.notMatch(faults.join(), 'SECRET')

  t.match(faultsOf('shop,SECRET\nshop,B\n', 'csv'), [/^1: .+2 unknown columns/, /no column serviceId/, /no column key/])
  t.match(faultsOf('serviceId,key,key\n', 'csv'), [/a column twice/])
  t.match(faultsOf('serviceId;key\na;b\n', 'csv'), [
    '1: the columns are separated by semicolons: save the file with commas'
  ])
  t.match(faultsOf('serviceId,key\na,"b\n', 'csv'), ['2: a quote is never closed'])
  t.match(faultsOf('{"serviceId":"a","key":"SECRET"\n[]\n{"serviceId":"a","key":1,"x":2}', 'ndjson'), [
    '1: not JSON',
    '2: not an object of JSON',
    /^3: 1 unknown members/,
    /^3: key: a text/
  ])
  t.match(faultsOf('[\n{"serviceId":"a",\n"key":SECRET}]', 'json'), [/^\d: not JSON from here on$/])
  t.match(faultsOf('{}', 'json'), ['1: not an array of JSON'])
  t.match(faultsOf('[\n1,\n{"serviceId":"a","key":"b","maxHwids":"1","attributes":[]}\n]', 'json'), [
    '2: not an object of JSON',
    /^3: maxHwids/,
    /^3: attributes: an object/
  ])
  const lone = { serviceId: 'a', key: '\ud800' }
  t.match(faultsOf(JSON.stringify(lone), 'ndjson'), [/^1: key/], 'half a character')
  const pairs = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${i}`, '']))
  t.match(faultsOf(JSON.stringify({ ...lone, key: 'k', attributes: pairs }), 'ndjson'), ['1: attributes: at most 16'])
})

t.test('a file with faults: twenty are shown, nothing is sent', async t => {
  const file = join(tempDir(t), 'licenses.csv')
  writeFileSync(file, `serviceId,key\n${'shop,\n'.repeat(25)}`)
  let calls = 0
  const counting: typeof fetch = async () => {
    calls++
    throw new TypeError('fetch failed')
  }
  const { code, out, err } = await cli(['licenses', 'import', file], { env, fetch: counting })
  t.equal(code, 1)
  t.equal(out, '')
  t.match(err, /^countersign: 25 faults; nothing was sent:\n {2}line 2: key is missing\n/)
  t.equal(err.match(/^ {2}line /gm)?.length, 20)
  t.match(err, / {2}and 5 more\n$/)
  t.equal(calls, 0)
  writeFileSync(file, csvOf(3))
  t.match(await cli(['licenses', 'import', file, '--check'], { env, fetch: counting }), { code: 0, out: /^3 licenses/ })
  t.equal(calls, 0)
  writeFileSync(file, 'serviceId,key\n')
  t.match(await cli(['licenses', 'import', file], { env }), { code: 1, err: /holds no license/ })
  writeFileSync(file, Buffer.from('serviceId,key\nshop,\xe9', 'latin1'))
  t.match(await cli(['licenses', 'import', file], { env }), { code: 1, err: /is not UTF-8/ })
  t.match(await cli(['licenses', 'import', `${file}.csv`], { env }), { code: 1, err: /cannot be read/ })
})

// ── All or nothing, against a server that we lead ────────────────────────────────────────────────────────────────────

interface FakeCall {
  readonly call: string
  readonly size: number
}

/** The routes of an import as the API has them. `answer` may refuse a call, or keep silent about it. */
async function fakeImports(
  t: Test,
  answer: (call: string, nth: number) => [number, object] | 'break' | undefined = () => undefined
) {
  const calls: FakeCall[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const body: { licenses: unknown[] } = text === '' ? { licenses: [] } : JSON.parse(text)
    const call = `${request.method} ${String(request.url).replace('/v1/admin/imports', '')}`
    calls.push({ call, size: body.licenses.length })
    const special = answer(call, calls.filter(each => each.call === call).length)
    if (special === 'break') {
      request.socket.destroy()
      return
    }
    const [status, reply] = special ?? usual(call, body.licenses.length)
    response.writeHead(status).end(status === 204 ? '' : JSON.stringify(reply))
  }).listen(0, '127.0.0.1')
  function usual(call: string, size: number): [number, object] {
    if (call === 'POST ') return [201, { importId: 'imp_1' }]
    if (call === 'POST /imp_1/licenses') return [200, { accepted: size }]
    if (call === 'POST /imp_1/commit') {
      return [200, { licenses: calls.reduce((sum, each) => sum + each.size, 0) }]
    }
    return [204, {}]
  }
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    calls,
    url,
    names: () => calls.map(each => each.call),
    run: (count: number, options: RunOptions = {}) =>
      cli(['licenses', 'import', '-', '--format', 'csv', '--url', url], { env, stdin: csvOf(count), ...options })
  }
}

t.test('chunks of at most 500, then the commit', async t => {
  const fake = await fakeImports(t)
  const result = await fake.run(1100)
  t.match(result, { code: 0, out: '1100 licenses imported\n', err: /^1100 licenses in \d+ s \(\d+\/s\)\n$/ })
  t.same(
    fake.calls.map(({ size }) => size),
    [0, 500, 500, 100, 0]
  )
  t.equal(fake.names().at(-1), 'POST /imp_1/commit')
})

t.test('a license that the gateway refuses is told by its line, and nothing is left', async t => {
  const refusal = { code: 'CONFLICT', message: 'the service has a license with this key already', index: 3 }
  const fake = await fakeImports(t, (call, nth) =>
    call.endsWith('/licenses') && nth === 2 ? [409, refusal] : undefined
  )
  const { code, out, err } = await fake.run(600)
  t.equal(code, 1)
  t.equal(out, '')
  t.equal(
    err,
    'countersign: line 505: the service has a license with this key already (CONFLICT). Nothing was imported\n'
  )
  t.equal(fake.names().at(-1), 'DELETE /imp_1')
})

t.test('Ctrl-C ends the import, and takes back what was sent', async t => {
  const controller = new AbortController()
  const fake = await fakeImports(t, (call, nth) => {
    if (call.endsWith('/licenses') && nth === 2) controller.abort()
    return undefined
  })
  const { code, err } = await fake.run(5000, { signal: controller.signal })
  t.equal(code, 130)
  t.equal(err, 'countersign: interrupted. Nothing was imported\n')
  t.equal(fake.names().at(-1), 'DELETE /imp_1')
  t.notOk(fake.names().includes('POST /imp_1/commit'))
})

t.test('Ctrl-C as the terminal sends it', async t => {
  const file = join(tempDir(t), 'licenses.csv')
  writeFileSync(file, csvOf(5000))
  let program: Program | undefined
  const fake = await fakeImports(t, (call, nth) => {
    if (call.endsWith('/licenses') && nth === 1) program?.child.kill('SIGINT')
    return undefined
  })
  program = runProgram(t, ['licenses', 'import', file, '--url', fake.url], env)
  t.match(await program.ended, { code: 130 })
  t.equal(program.stderr(), 'countersign: interrupted. Nothing was imported\n')
  t.equal(fake.names().at(-1), 'DELETE /imp_1')
})

t.test('Ctrl-C at the commit waits for what becomes of it', async t => {
  const controller = new AbortController()
  const fake = await fakeImports(t, call => {
    if (call.endsWith('/commit')) controller.abort()
    return undefined
  })
  t.match(await fake.run(10, { signal: controller.signal }), { code: 0, out: '10 licenses imported\n' })
})

t.test('a commit without an answer is not called a failure that left nothing', async t => {
  const over: [number, object] = [409, { code: 'CONFLICT', message: 'the import imp_1 is over' }]
  const lost = await fakeImports(t, call =>
    call.endsWith('/commit') ? 'break' : call.startsWith('DELETE') ? over : undefined
  )
  t.match(await lost.run(10), { code: 1, err: /Whether it was imported is not known: look with licenses list/ })
  const broken: [number, object] = [503, { code: 'UNAVAILABLE', message: 'not possible right now, try again' }]
  const half = await fakeImports(t, call =>
    call.endsWith('/commit') ? broken : call.startsWith('DELETE') ? over : undefined
  )
  t.match(await half.run(10), { code: 1, err: /Whether it was imported is not known/ })
  const late = await fakeImports(t, call => (call.endsWith('/commit') || call.startsWith('DELETE') ? over : undefined))
  t.match(await late.run(10), { code: 1, err: /is over \(CONFLICT\)\. Nothing was imported/ })
  const undone = await fakeImports(t, call => (call.endsWith('/commit') ? 'break' : undefined))
  t.match(await undone.run(10), { code: 1, err: /Nothing was imported\n$/ })
  const gone = await fakeImports(t, call => (call === 'POST ' ? undefined : 'break'))
  t.match(await gone.run(10), { code: 1, err: /Nothing was imported; what was staged is cleared/ })
  const short = await fakeImports(t, call => (call.endsWith('/licenses') ? [200, { accepted: 9 }] : undefined))
  t.match(await short.run(10), { code: 1, err: /took 9 of 10 licenses\. Nothing was imported\n$/ })
})

t.test('a bar on a terminal: how many of how many, how fast, how long', async t => {
  const fake = await fakeImports(t)
  let time = 0
  const now = () => {
    time += 1000
    return time
  }
  const { code, err } = await fake.run(1500, { isTty: true, now })
  t.equal(code, 0)
  t.match(err, '\r\u001b[K█')
  t.match(err, /█{8}░{16} 500\/1500 licenses {2}\d+\/s {2}\d+ s left/)
  t.match(err, /█{24} 1500\/1500 licenses/)
  t.match(err, /K1500 licenses in \d+ s \(\d+\/s\)\n$/)
})

// ── Against a gateway ────────────────────────────────────────────────────────────────────────────────────────────────

t.test('in and out of a gateway', async t => {
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
  t.equal(all.length, 1200, 'neither of the refused file')
  t.match(all[0], { serviceId: 'shop', maxHwids: 2, expiresAt: '2030-01-31T00:00:00.000Z' })

  const file = join(tempDir(t), 'out.csv')
  const exported = await run(['licenses', 'export', '--out', file])
  t.match(exported, { code: 0, out: '', err: /^1200 licenses in/ })
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.notOk(existsSync(`${file}.part`))
  const [columns, first] = [...parseCsv(readFileSync(file, 'utf8'))].map(({ fields }) => fields)
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
  t.notOk(existsSync(cut) || existsSync(`${cut}.part`), 'no half file')
  const empty = await startGateway(t)
  t.match(await cli(['licenses', 'export', '--format', 'json', '--url', empty.url], { env }), { code: 0, out: '[]\n' })
})
