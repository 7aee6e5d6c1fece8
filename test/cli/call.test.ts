import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type CountersignClient, createClient } from '../../src/client/node.js'
import { tempDir } from '../helper/process.js'
import { serveHttp, startCommands } from './helper.js'

/** `countersign call`. */

const { gateway, ask, good, json, bad } = await startCommands(t)

const file = join(tempDir(t), 'game.json')
await good(t, ['clients', 'create', 'game', '--save', file])
const credential = JSON.parse(readFileSync(file, 'utf8'))

/** Opens a session of the client `game` with handlers. @returns the client and its sessionId */
async function serve(t: Test): Promise<{ client: CountersignClient; sessionId: string; runs: unknown[] }> {
  const client = createClient({ url: `${gateway.url.replace('http', 'ws')}/v1/ws`, credential })
  t.teardown(() => client.close())
  const runs: unknown[] = []
  client.on('error', () => {})
  client.handle('echo', data => {
    runs.push(data)
    return data
  })
  client.handle('fail', () => {
    throw Object.assign(new Error('not here'), { code: 'PLAYER_GONE' })
  })
  client.handle('never', () => new Promise(() => {}))
  const open = new Promise<string>(resolve => client.once('welcome', ({ sessionId }) => resolve(sessionId)))
  client.connect()
  return { client, sessionId: await open, runs }
}

t.test('prints the reply of one session, and its duration', async t => {
  const { sessionId, runs } = await serve(t)
  const called = await ask(['call', '--to-client', 'game', 'echo', '{"a":[1]}'])
  t.match(called, { code: 0, out: '{"a":[1]}\n', err: new RegExp(`^${sessionId} answered in \\d+ ms\\n$`) })
  t.match(await json(t, ['call', '--to-session', sessionId, 'echo', 'null']), { sessionId, data: null })
  t.equal(await good(t, ['call', '--to-session', sessionId, 'echo']), '-\n')
  const keyed = ['call', '--to-client', 'game', 'echo', '"once"', '--key', 'k']
  t.equal(await good(t, keyed), '"once"\n')
  t.equal(await good(t, keyed), '"once"\n')
  t.same(runs, [{ a: [1] }, null, undefined, 'once'])
})

t.test('reports the failure, and whether the method may have run', async t => {
  const { client } = await serve(t)
  const call = (...args: string[]) => ['call', '--to-client', 'game', ...args]
  t.match(await bad(t, 1, call('fail')), /^countersign: the receiver answered PLAYER_GONE: not here\n$/)
  t.match(await bad(t, 1, call('other')), /NO_HANDLER/)
  t.match(await bad(t, 1, call('never', '--timeout-ms', '100')), /\(CALL_TIMEOUT\); it may have run/)
  t.match(await bad(t, 1, ['call', '--to-client', 'nobody', 'echo']), /\(NO_RECEIVER\)/)
  await client.close()
  t.match(await bad(t, 1, call('echo')), /\(NO_RECEIVER\)/)
  const { token } = await json(t, ['tokens', 'create', 'panel', '--scopes', 'calls', '--call', 'game/kick'])
  t.match(await bad(t, 1, call('echo', '--token', token)), /PERMISSION_DENIED/)
})

t.test('refuses a wrong command line', async t => {
  t.match(await bad(t, 2, ['call', 'echo']), /one of --to-client and --to-session/)
  t.match(await bad(t, 2, ['call', '--to-client', 'a', '--to-session', 'b', 'echo']), /one of/)
  t.match(await bad(t, 2, ['call', '--to-session', 'a', '--all', 'echo']), /--all needs --to-client/)
  t.match(await bad(t, 2, ['call', '--to-client', 'a', 'echo', 'text']), /argument 'data' is not JSON/)
  t.match(await bad(t, 2, ['call', '--to-client', 'a', 'echo', '--timeout-ms', '99']), /from 100 to 30000/)
})

t.test('calls every session of a client', async t => {
  const sessions = await Promise.all([serve(t), serve(t)])
  const ids = sessions.map(({ sessionId }) => sessionId).sort()
  const all = ['call', '--to-client', 'game', '--all']
  const called = await ask([...all, 'echo', '"hi"'])
  t.equal(called.code, 0, called.err)
  const lines = called.out.trim().split('\n')
  for (const line of lines) t.match(line, /^\S+ {2}\d+ ms {2}"hi"$/)
  t.same(lines.map(line => line.split(' ')[0]).sort(), ids)
  t.match(called.err, /^2 answered, 0 did not\n$/)

  const shown = await ask([...all, 'echo', '1', '--json'])
  const answers = shown.out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  t.match(answers.at(-1), { done: true, answered: 2, missing: 0 })
  t.equal(answers.length, 3)

  const failed = await ask([...all, 'fail'])
  t.equal(failed.code, 1)
  t.match(failed.out, /PLAYER_GONE: not here/)
  const silent = await ask([...all, 'never', '--timeout-ms', '100'])
  t.match(silent, { code: 1, out: '', err: '0 answered, 2 did not\n' })
  t.match(await bad(t, 1, ['call', '--to-client', 'nobody', '--all', 'echo']), /\(NO_RECEIVER\)/)
})

t.test('reports an answer that ends early', async t => {
  const answers = ['{"sessionId":"a"}\n', '{"sessionId":"a"}\nno JSON\n']
  const url = await serveHttp(t, async (request, response) => {
    request.resume()
    await once(request, 'end')
    response.end(answers.shift())
  })
  const args = ['call', '--to-client', 'game', '--all', 'echo', '--url', url]
  t.match(await ask(args), { code: 1, err: /the answer ended early/ })
  t.match(await ask(args), { code: 1, err: /no JSON object/ })
})

t.test('bug: sessions above the bound of one request were not called, in silence', async t => {
  const url = await serveHttp(t, async (request, response) => {
    request.resume()
    await once(request, 'end')
    response.end('{"sessionId":"a","data":1}\n{"done":true,"answered":1,"missing":0,"truncated":500}\n')
  })
  const called = await ask(['call', '--to-client', 'game', '--all', 'echo', '--url', url])
  t.match(called, { code: 1, err: '1 answered, 0 did not; 500 more sessions were not called\n' })
})
