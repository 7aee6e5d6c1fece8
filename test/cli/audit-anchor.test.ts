import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { testAdminToken } from '../helper/gateway.js'
import { tempDir } from '../helper/process.js'
import { cli } from './io.js'

/** A gateway's audit log as the commands see it. */
function logOf(entries: readonly object[], cut?: { seq: number; hash: string }): typeof fetch {
  return async url => {
    const { pathname, searchParams } = new URL(String(url))
    if (pathname.endsWith('/verify'))
      return Response.json({ entries: entries.length, ...(cut === undefined ? {} : { cut }) })
    const after = Number(searchParams.get('after') ?? 0)
    const limit = Number(searchParams.get('limit') ?? 100)
    const items = entries.slice(after, after + limit)
    const next = after + limit < entries.length ? { next: String(after + limit) } : {}
    return Response.json({ items, ...next })
  }
}

const env = { COUNTERSIGN_ADMIN_TOKEN: testAdminToken }
const entries = [1, 2, 3].map(seq => ({ seq, action: 'client.create', hash: `hash-${seq}` }))

t.test('audit export writes NDJSON to stdout or to a file', async t => {
  const lines = entries.map(entry => `${JSON.stringify(entry)}\n`).join('')
  t.match(await cli(['audit', 'export'], { env, fetch: logOf(entries) }), { code: 0, out: lines })
  const file = join(tempDir(t), 'audit.ndjson')
  t.match(await cli(['audit', 'export', '--out', file], { env, fetch: logOf(entries) }), { code: 0, out: '' })
  t.equal(readFileSync(file, 'utf8'), lines)
  t.equal(statSync(file).mode & 0o777, 0o600)
})

t.test('bug: audit verify did not see that the end of the log, or all of it, was removed', async t => {
  const file = join(tempDir(t), 'audit.ndjson')
  await cli(['audit', 'export', '--out', file], { env, fetch: logOf(entries) })
  const verify = (log: readonly object[]) => cli(['audit', 'verify', '--anchor', file], { env, fetch: logOf(log) })
  t.match(await verify(entries), { code: 0, out: /all 3 entries are intact/ })
  t.match(await verify([...entries, { seq: 4, hash: 'hash-4' }]), { code: 0 }, 'it has grown')
  t.match(await verify(entries.slice(0, 2)), { code: 1, out: /entry 3 of the anchor is missing: the end of the log/ })
  t.match(await verify([]), { code: 1, out: /or all of it, was removed/ })
  const replaced = [...entries.slice(0, 2), { seq: 3, hash: 'other' }]
  t.match(await verify(replaced), { code: 1, out: /entry 3 is not that of the anchor: the log was replaced/ })
})

t.test('audit verify knows an entry that was cut because of its age', async t => {
  const file = join(tempDir(t), 'audit.ndjson')
  await cli(['audit', 'export', '--out', file], { env, fetch: logOf(entries) })
  const verify = (seq: number, hash: string) =>
    cli(['audit', 'verify', '--anchor', file], { env, fetch: logOf([], { seq, hash }) })
  t.match(await verify(5, 'hash-5'), { code: 0, out: /intact; those up to 5 were cut/ })
  t.match(await verify(3, 'hash-3'), { code: 0 }, 'the entry itself is the newest that was cut')
  t.match(await verify(3, 'other'), { code: 1, out: /entry 3 is not that of the anchor: the log was replaced/ })
  t.match(await verify(2, 'hash-2'), { code: 1, out: /entry 3 of the anchor is missing/ }, 'the seal does not cover it')
})

t.test('an anchor must be an exported log', async t => {
  const file = join(tempDir(t), 'no-log')
  writeFileSync(file, 'hello\n')
  const verify = (path: string) => cli(['audit', 'verify', '--anchor', path], { env, fetch: logOf(entries) })
  t.match(await verify(file), { code: 1, err: /holds no exported audit log/ })
  t.match(await verify(join(file, 'x')), { code: 1, err: /cannot be read/ })
})
