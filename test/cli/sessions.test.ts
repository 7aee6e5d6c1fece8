import t from 'tap'
import { until } from '../helper/until.js'
import { connectWire } from '../helper/wire.js'
import { serveHttp, startCommands } from './helper.js'

const { gateway, ask, good, json, bad } = await startCommands(t)

t.test('sessions', async t => {
  const credential = await json(t, ['clients', 'create', 'online'])
  const wire = await connectWire(t, `${gateway.url.replace('http', 'ws')}/v1/ws`)
  wire.authenticate({ ...credential, attributes: { app: '\u001b[2Jgone\u202e' } })
  const { sessionId } = await wire.next('welcome')
  t.match(await good(t, ['sessions', 'list', '--client', 'online']), new RegExp(`^${sessionId} +online`, 'm'))
  t.match(await json(t, ['sessions', 'list', '--client', 'nobody']), { items: [] })
  await good(t, ['sessions', 'end', String(sessionId)])
  t.match(await wire.next('error'), { code: 'SESSION_REVOKED' })
  t.match(
    await bad(t, 1, ['sessions', 'end', '-AAAAAAAAAAAAAAAAAAAAA']),
    /there is no session -A/,
    'a single dash does not start an option'
  )
})

t.test('bug: an invalid id was answered with a regular expression', async t => {
  const error = await bad(t, 1, ['sessions', 'end', 'zzz'])
  t.match(error, /params\/sessionId is not valid \(Id of the session, for example \S+\) \(BAD_REQUEST\)/)
  t.notMatch(error, /\^|A-Za-z/)
})

t.test('top', async t => {
  const credential = await json(t, ['clients', 'create', 'busy'])
  const wire = await connectWire(t, `${gateway.url.replace('http', 'ws')}/v1/ws`)
  wire.authenticate(credential)
  await wire.next('welcome')
  for (let i = 0; i < 3; i++) await wire.ask({ type: 'heartbeat' })
  await until('the counts are written', async () => (await json(t, ['top', '--once'])).items.length > 0)
  t.match(await good(t, ['top', '--once']), /^SESSION +CLIENT +FRAMES\/S +FRAMES +BYTES +REFUSED\n\S+ +busy +0\.0 +3 /)
  t.match((await json(t, ['top', '--once', '--limit', '1'])).items, [{ clientId: 'busy', frames: 3, refused: 0 }])
})

t.test('publish', async t => {
  t.match(await good(t, ['publish', 'news', '{"text":"hello"}']), /^offset +1\nepoch +\S+\n$/)
  const published = await json(t, ['publish', 'news', '"once"', '--key', 'k'])
  t.match(published, { offset: 2, epoch: /./ })
  t.match(await json(t, ['publish', 'news', '"once"', '--key', 'k']), { ...published, duplicate: true })
  t.match(await bad(t, 1, ['publish', 'news', '"twice"', '--key', 'k']), /other data \(BAD_REQUEST\)/)
  t.match(
    await bad(t, 2, ['publish', 'news', 'hello']),
    /argument 'data' is not JSON. A string needs quotes of its own/
  )
  t.match(await bad(t, 1, ['publish', 'a b', '1']), /BAD_REQUEST/)
})

t.test('the audit log', async t => {
  t.match(await good(t, ['audit', 'list', '--limit', '3']), /^SEQ +AT +ACTOR +ACTION +TARGET +DETAIL\n1 /)
  t.match(await good(t, ['audit', 'verify']), /^✓ all \d+ entries are intact\n$/)
  t.match(await json(t, ['audit', 'verify']), { entries: Number })
  const url = await serveHttp(t, (_request, response) => response.end('{"entries":7,"brokenAt":8}'))
  const broken = await ask(['audit', 'verify', '--url', url])
  t.equal(broken.code, 1)
  t.match(broken.out, /✗ entry 8 is not intact/)
})
