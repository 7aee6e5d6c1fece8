import { readdirSync, readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import t from 'tap'
import { createErrorSerializer, formatError, type LoggedError } from '../../src/log/error-serializer.js'
import { loggerOptions } from '../../src/log/logger-options.js'
import { Redactor } from '../../src/log/redactor.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { startRedis } from '../helper/redis-server.js'

/** No log line holds a secret, whatever a library puts on its errors. */

const secret = 'LICENSE-KEY-7421'

function createLog(secrets: readonly string[] = []) {
  const lines: string[] = []
  const redactor = new Redactor(secrets)
  return {
    lines,
    logger: pino(loggerOptions('trace', redactor), { write: line => void lines.push(redactor.redact(line)) })
  }
}

t.test('bug: errors of ioredis are logged with the arguments of their command', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  const error = await redis.call('SET', 'k', secret, 'NONSENSE').catch((reason: unknown) => reason)
  t.match(error, { command: { args: ['k', secret, 'NONSENSE'] } }, 'what a logger would write')
  const { logger, lines } = createLog()
  logger.warn({ err: error }, 'the store does not answer')
  logger.warn({ err: new Error('outer', { cause: error }) }, 'the store does not answer')
  t.match(lines[0], /syntax error/)
  t.notMatch(lines.join(), secret)
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  await redis.call('SET', 'cs:limit:x', 'no number')
  const failure = await store.rateLimits.consume('x', 1, 1).catch((reason: unknown) => reason)
  t.match(failure, { cause: /./ })
  t.notMatch(Object.keys((failure as Error).cause as Error), ['command'], 'gone at its source too, for other loggers')
})

t.test('logs type, message, code, stack and causes of an error, and no other member', async t => {
  const { logger, lines } = createLog()
  const cause = Object.assign(new RangeError('inner'), { command: { name: 'set', args: [secret] }, input: secret })
  const error = Object.assign(new Error('outer', { cause }), {
    code: 'E1',
    args: [secret],
    errors: [new Error(secret)]
  })
  logger.error({ err: error }, 'failed')
  logger.error({ error }, 'failed')
  logger.info({ code: 'X', cause: error }, 'refused')
  logger.error(error)
  t.notMatch(lines.join(), secret)
  for (const [line, name] of [
    [lines[0], 'err'],
    [lines[1], 'error'],
    [lines[2], 'cause'],
    [lines[3], 'err']
  ] as const) {
    const { type, message, code, stack, cause: inner } = JSON.parse(line ?? '')[name]
    t.match({ type, message, code }, { type: 'Error', message: 'outer', code: 'E1' })
    t.match(stack, /logger-options\.test/)
    t.match(inner, { type: 'RangeError', message: 'inner', stack: /inner/ })
  }
})

t.test('removes the user info of URLs and the secrets that it knows, wherever they stand', async t => {
  const password = 'p"ass-7421'
  const { logger, lines } = createLog([password, 'a'])
  const error = new Error(
    `connect to redis://user:secret-word@127.0.0.1:6379 and rediss+sentinel://:x@h failed: ${password}`
  )
  logger.error(error)
  logger.info({ note: password }, `the password is ${password}`)
  t.notMatch(lines.join(), /secret-word|:x@h|7421/)
  t.match(lines[0], /redis:\/\/\*\*\*@127\.0\.0\.1:6379/)
  t.match(lines[1], /the password is \[secret\]/, 'a text as short as "a" is not searched for')
})

t.test('cuts quoted commands of servers, long texts, and long chains of causes', async t => {
  const serialize = createErrorSerializer(text => text)
  const unknown = new Error(`ERR unknown command 'AUTH', with args beginning with: '${secret}' `)
  t.notMatch(JSON.stringify(serialize(unknown)), secret)
  let error = new Error('x'.repeat(100_000))
  for (let i = 0; i < 20; i++) error = new Error('outer', { cause: error })
  t.ok(JSON.stringify(serialize(error)).length < 64_000)
  t.equal((serialize(new Error('y'.repeat(5000))) as LoggedError).message.length, 2048)
  t.equal(serialize('text'), 'text')
  t.equal(serialize({ secret }), 'object', 'what is no error is named by its type')
  t.match(formatError(new Error('a', { cause: new Error('b') }), serialize), /Error: a\n[\s\S]*caused by Error: b/)
})

t.test('bug: a hwid in an unusual path was logged; a request is logged by its route', async t => {
  const { logger, lines } = createLog()
  const url = `/v1/admin/licenses/lic_1/hwids/${secret}?after=${secret}`
  const request = { method: 'PUT', url, headers: { authorization: secret }, ip: '127.0.0.1' }
  const route = '/v1/admin/licenses/:licenseId/hwids/:hwid'
  logger.info({ req: { ...request, routeOptions: { url: route } } }, 'incoming request')
  logger.info({ req: { ...request, routeOptions: { url: undefined } } }, 'incoming request')
  t.notMatch(lines.join(), secret)
  t.match(
    lines.map(line => JSON.parse(line).req),
    [
      { method: 'PUT', route },
      { method: 'PUT', route: 'none' }
    ]
  )
})

t.test('bug: the line about a foreign value showed [secret] in place of the key in the store', async t => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
  const call = /\.(?:trace|debug|info|warn|error|fatal)\(\s*\{([^{}]*)\}/g
  const censored = /(?:^|,)\s*(?:secret|token|key|authorization)\s*(?:[:,]|$)/
  t.match('key, msg', censored, 'what the next line looks for')
  for (const file of files) {
    const members = [...readFileSync(`src/${file}`, 'utf8').matchAll(call)].map(([, each = '']) => each)
    t.same(
      members.filter(each => censored.test(each)),
      [],
      `src/${file} logs no member that is always censored`
    )
  }
})
