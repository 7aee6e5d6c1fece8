import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { checkRows } from '../../src/cli/import/check.js'
import { CsvFault, type CsvRecord, formatCsv, parseCsv } from '../../src/cli/import/csv.js'
import { type Format, readRows } from '../../src/cli/import/read.js'
import { testAdminToken } from '../helper/gateway.js'
import { tempDir } from '../helper/process.js'
import { cli } from './io.js'

/** Valid contents of a file of licenses, and reports about faults. */

const env = { COUNTERSIGN_ADMIN_TOKEN: testAdminToken }

function records(text: string): CsvRecord[] {
  const parsed: CsvRecord[] = []
  parseCsv(text, record => parsed.push(record))
  return parsed
}

function parse(text: string): (string[] | number)[][] {
  return records(text).map(({ line, fields }) => [line, [...fields]])
}

/** Reports of `--check`, as `line: text`. */
function faultsOf(text: string, format: Format): string[] {
  return checkRows(readRows(text, format)).faults.map(fault => `${fault.line}: ${fault.text}`)
}

function licensesOf(text: string, format: Format) {
  const { licenses, faults } = checkRows(readRows(text, format))
  return { licenses: licenses.map(({ license }) => license), lines: licenses.map(({ line }) => line), faults }
}

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
  t.same(parse('"a\r\nb","c\rd"\r\nlast,x\r\n'), [
    [1, ['a\r\nb', 'c\rd']],
    [3, ['last', 'x']]
  ])
  t.same(parse(''), [])
  t.same(parse('\n\n'), [])
  t.same(parse('""\n'), [[1, ['']]], 'quotes make an empty line a record')
  for (const [text, line, why] of [
    ['a\n"b', 2, /never closed/],
    ['a\n\n"b"c', 3, /follows the closing quote/],
    ['a"b', 1, /not quoted/],
    ['"x\ny","b', 2, /never closed/],
    ['a\rb', 1, /lone carriage return/],
    ['"a\rb"\r\n"c\r",d\re\r\n', 2, /lone carriage return/],
    ['a\r', 1, /lone carriage return/]
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
  const tables = fc.array(fc.array(field, { minLength: 2, maxLength: 5 }), { maxLength: 6 })
  fc.assert(
    fc.property(tables, written => {
      const read = records(formatCsv(written)).map(({ fields }) => fields)
      t.same(read, written)
    })
  )
})

t.test('reads the same licenses from CSV, NDJSON and JSON', async t => {
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

t.test('reports every fault with its line and without the value', async t => {
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
    '2: not a JSON object',
    /^3: 1 unknown members/,
    /^3: key: a text/
  ])
  t.match(faultsOf('[\n{"serviceId":"a",\n"key":SECRET}]', 'json'), [/^\d: not JSON from here on$/])
  t.match(faultsOf('{}', 'json'), ['1: not a JSON array'])
  t.match(faultsOf('[\n1,\n{"serviceId":"a","key":"b","maxHwids":"1","attributes":[]}\n]', 'json'), [
    '2: not a JSON object',
    /^3: maxHwids/,
    /^3: attributes: an object/
  ])
  const lone = { serviceId: 'a', key: '\ud800' }
  t.match(faultsOf(JSON.stringify(lone), 'ndjson'), [/^1: key/], 'half of a surrogate pair')
  const pairs = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${i}`, '']))
  t.match(faultsOf(JSON.stringify({ ...lone, key: 'k', attributes: pairs }), 'ndjson'), [
    '1: attributes: an object of at most 16'
  ])
})

t.test('bug: a file that the HTTP API refuses in the middle of the upload passed the check', async t => {
  const license = { serviceId: 'shop', key: 'K' }
  const bound = { hwid: 'a', boundAt: '2030-01-31T00:00:00Z' }
  const faultOf = (members: object) => faultsOf(JSON.stringify({ ...license, ...members }), 'ndjson')
  t.same(faultOf({ hwids: [bound, { ...bound, hwid: 'b' }], bannedHwids: ['a'] }), [])
  t.same(faultOf({ hwids: [bound, bound] }), ['1: hwids: the same hwid twice'])
  t.same(faultOf({ bannedHwids: ['a', 'b', 'a'] }), ['1: bannedHwids: the same hwid twice'])
  const badHwids = /^1: hwids: a JSON array of at most 1000 objects \{hwid, boundAt\}/
  t.match(faultOf({ hwids: [{ ...bound, note: 1 }] }), [badHwids], 'an unknown member')
  for (const boundAt of ['2030-01-31', '2030-02-31T00:00:00Z', '1969-12-31T23:59:59Z'])
    t.match(faultOf({ hwids: [{ ...bound, boundAt }] }), [badHwids], boundAt)
  t.match(faultOf({ hwids: [{ ...bound, hwid: 'é'.repeat(129) }] }), [/^1: hwids: 258 bytes; the limit is 256/])
  const secret = { attributes: { ['n'.repeat(10)]: 'é'.repeat(65) } }
  t.match(faultOf(secret), [/^1: attributes: an object/])
  t.notMatch(faultOf(secret).join(), 'nnn', 'names no attribute')
})

t.test('shows twenty faults of a file and sends nothing', async t => {
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
  writeFileSync(file, 'serviceId,key\nshop,KEY-0\nshop,KEY-1\nshop,KEY-2\n')
  t.match(await cli(['licenses', 'import', file, '--check'], { env, fetch: counting }), { code: 0, out: /^3 licenses/ })
  t.equal(calls, 0)
  writeFileSync(file, 'serviceId,key\n')
  t.match(await cli(['licenses', 'import', file], { env }), { code: 1, err: /holds no license/ })
  writeFileSync(file, Buffer.from('serviceId,key\nshop,\xe9', 'latin1'))
  t.match(await cli(['licenses', 'import', file], { env }), { code: 1, err: /is not UTF-8/ })
  t.match(await cli(['licenses', 'import', `${file}.csv`], { env }), { code: 1, err: /cannot be read/ })
})

t.test('bug: keys keep no space, line end or invisible character around them', async t => {
  const around = ['', ' ', '\t', '\u00a0', '\u200b', '\ufeff', '\n', '\r\n', '\u2060 ']
  for (const [i, before] of around.entries()) {
    for (const after of around) {
      const { licenses, faults } = licensesOf(
        formatCsv([
          ['serviceId', 'key'],
          ['shop', `${before}K ${i}${after}`]
        ]),
        'csv'
      )
      t.same([licenses, faults], [[{ serviceId: 'shop', key: `K ${i}` }], []], JSON.stringify([before, after]))
    }
  }
  const { trimmedLines, faults } = checkRows(readRows('serviceId,key\nshop,A\nshop,B \nshop,A\u00a0\n', 'csv'))
  t.same(trimmedLines, [3, 4])
  t.match(faults, [{ line: 4, text: /same serviceId and key as on line 2/ }], 'compared without them')
  t.match(faultsOf('{"serviceId":"shop","key":" \u200b"}', 'ndjson'), [/^1: key: a text of 1 to/])
})

t.test('bug: an invisible character inside a key is refused with its line', async t => {
  for (const [char, name] of [
    ['\u200b', 'U+200B'],
    ['\u00a0', 'U+00A0'],
    ['\n', 'U+000A'],
    ['\u0000', 'U+0000'],
    ['\u202e', 'U+202E']
  ] as const) {
    const text = formatCsv([
      ['serviceId', 'key'],
      ['shop', 'ok'],
      ['shop', `A${char}B`]
    ])
    t.same(faultsOf(text, 'csv'), [`3: key: holds ${name}, which nobody sees: remove it`])
  }
  t.same(
    faultsOf(
      formatCsv([
        ['serviceId', 'key'],
        ['shop', 'A B-é-🙂-日本']
      ]),
      'csv'
    ),
    [],
    'what is seen may be meant'
  )
})

t.test('bug: unknown columns and members are named beside a known one', async t => {
  t.match(faultsOf('serviceId,key,colour,size\n', 'csv'), [/2 unknown columns \("colour", "size"\); known are/])
  t.match(faultsOf('{"serviceId":"a","key":"b","colour":1}', 'ndjson'), [/1 unknown members \("colour"\)/])
  const many = faultsOf(`serviceId,key,${Array.from({ length: 12 }, (_, i) => `c${i}`).join()}\n`, 'csv')
  t.match(many, [/12 unknown columns \("c0", .+ "c9", …\)/])
  t.notMatch(faultsOf('SECRET-1,SECRET-2\n', 'csv').join(), /SECRET/, 'a first row without a known column may be data')
})

t.test('bug: licenses create --key - kept byte order marks and invisible characters', async t => {
  const create = async (stdin: string, ...args: string[]) => {
    const sent: unknown[] = []
    const result = await cli(['licenses', 'create', 'shop', ...args], {
      env,
      stdin,
      fetch: async (_url, init) => {
        sent.push(JSON.parse(String(init?.body)).key)
        return Response.json({ licenseId: 'lic_1', serviceId: 'shop', key: 'x' }, { status: 201 })
      }
    })
    return { ...result, sent }
  }
  for (const stdin of ['\ufeffK-1\r\n', 'K-1 \n', '\u00a0K-1\u200b'])
    t.same((await create(stdin, '--key', '-')).sent, ['K-1'])
  for (const key of ['K-1 ', 'K\u200b1', '\ufeffK']) t.match(await create('', '--key', key), { code: 1, sent: [] }, key)
  t.match(await create('K\u00a01\n', '--key', '-'), { code: 1, sent: [], err: /holds U\+00A0/ })
  t.match(await create('\ufeff\n', '--key', '-'), { code: 1, sent: [], err: /empty/ })
})
