import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { testAdminToken } from '../helper/gateway.js'
import { type Program, run as runProgram, tempDir } from '../helper/process.js'
import { cli, type RunOptions } from './io.js'

/** An import is all or nothing, whatever the gateway answers and whenever Ctrl-C comes. */

const env = { COUNTERSIGN_ADMIN_TOKEN: testAdminToken }

function csvOf(count: number): string {
  return `serviceId,key\n${Array.from({ length: count }, (_, i) => `shop,KEY-${i}\n`).join('')}`
}

interface FakeCall {
  readonly call: string
  readonly size: number
}

/** Serves the routes of an import. `answer` may replace the answer to a call, or break the connection. */
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

t.test('sends chunks of at most 500 licenses, then the commit', async t => {
  const fake = await fakeImports(t)
  const result = await fake.run(1100)
  t.match(result, { code: 0, out: '1100 licenses imported\n', err: /^1100 licenses in \d+ s \(\d+\/s\)\n$/ })
  t.same(
    fake.calls.map(({ size }) => size),
    [0, 500, 500, 100, 0]
  )
  t.equal(fake.names().at(-1), 'POST /imp_1/commit')
})

t.test('reports a refused license with its line and discards the import', async t => {
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

t.test('Ctrl-C ends the import and discards the sent licenses', async t => {
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

t.test('Ctrl-C from the terminal does the same', async t => {
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

t.test('Ctrl-C during the commit waits for its outcome', async t => {
  const controller = new AbortController()
  const fake = await fakeImports(t, call => {
    if (call.endsWith('/commit')) controller.abort()
    return undefined
  })
  t.match(await fake.run(10, { signal: controller.signal }), { code: 0, out: '10 licenses imported\n' })
})

t.test('reports an unknown outcome when the commit has no answer', async t => {
  const over: [number, object] = [409, { code: 'CONFLICT', message: 'the import imp_1 is over' }]
  const lost = await fakeImports(t, call =>
    call.endsWith('/commit') ? 'break' : call.startsWith('DELETE') ? over : undefined
  )
  t.match(await lost.run(10), { code: 1, err: /Whether it was imported is unknown: check with `licenses list`/ })
  const broken: [number, object] = [503, { code: 'UNAVAILABLE', message: 'not possible right now, try again' }]
  const half = await fakeImports(t, call =>
    call.endsWith('/commit') ? broken : call.startsWith('DELETE') ? over : undefined
  )
  t.match(await half.run(10), { code: 1, err: /Whether it was imported is unknown/ })
  const late = await fakeImports(t, call => (call.endsWith('/commit') || call.startsWith('DELETE') ? over : undefined))
  t.match(await late.run(10), { code: 1, err: /is over \(CONFLICT\)\. Nothing was imported/ })
  const undone = await fakeImports(t, call => (call.endsWith('/commit') ? 'break' : undefined))
  t.match(await undone.run(10), { code: 1, err: /Nothing was imported\n$/ })
  const gone = await fakeImports(t, call => (call === 'POST ' ? undefined : 'break'))
  t.match(await gone.run(10), { code: 1, err: /Nothing was imported; the next import clears what was staged/ })
  const short = await fakeImports(t, call => (call.endsWith('/licenses') ? [200, { accepted: 9 }] : undefined))
  t.match(await short.run(10), { code: 1, err: /accepted 9 of 10 licenses\. Nothing was imported\n$/ })
})

t.test('shows a progress bar with count, rate and time left on a terminal', async t => {
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
