import t from 'tap'
import { run } from '../helper/process.js'
import { serveHttp, startCommands } from './helper.js'

const { env, good } = await startCommands(t)

t.test('escapes control characters in texts from clients', async t => {
  const items = [{ clientId: 'x', attributes: { app: '\u001b[2Jgone\u202e\n' } }]
  const url = await serveHttp(t, (_request, response) => response.end(JSON.stringify({ items })))
  const out = await good(t, ['clients', 'list', '--url', url])
  t.match(out, 'app=\\u001b[2Jgone\\u202e\\u000a')
})

t.test('colors only on a terminal, and never with NO_COLOR', async t => {
  t.match(await good(t, ['audit', 'verify'], { isTty: true }), '\u001b[32m✓')
  t.notMatch(await good(t, ['audit', 'verify'], { isTty: true, env: { NO_COLOR: '1' } }), '\u001b')
  t.notMatch(await good(t, ['audit', 'verify']), '\u001b')
})

t.test('the process ends by itself, even if the reader of its output is gone', async t => {
  const program = run(t, ['clients', 'list', '--json'], env)
  t.match(await program.ended, { code: 0 })
  t.match(JSON.parse(program.stdout()), { items: [] })
  const piped = run(t, ['completion', 'bash'])
  piped.child.stdout?.destroy()
  t.match(await piped.ended, { code: 0 })
  t.equal(piped.stderr(), '')
})
