import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openRegistry } from '../../src/registry/index.js'
import { missingRuleOf } from '../../src/store/redis/acl.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'

/** Users of Redis that lack what a gateway needs. */

/** The rules of docs/operating.md. */
const rules = [
  ...['resetkeys', '~cs:*', 'resetchannels', '&cs:*', '-@all', '+@read', '+@write', '+@connection', '+@scripting'],
  ...['+@pubsub', '+@transaction', '-@dangerous', '+info', '+time']
]

/** Starts a registry as a user with these rules, and collects all that is reported. */
async function startAs(t: Test, root: Redis, url: string, ...changes: string[]) {
  await root.call('ACL', 'SETUSER', 'carol', 'reset', 'on', '>the-password', ...rules, ...changes)
  const texts: string[] = []
  const store = await openRedisStore(url.replace('//', '//carol:the-password@'), {
    onRefused: ({ cause, todo }) => texts.push(`${cause}: ${todo}`)
  })
  t.teardown(() => store.close())
  await openRegistry(store, [Buffer.alloc(32, 1)], Date.now).catch((error: Error) => {
    texts.push(error.cause instanceof Error ? error.cause.message : error.message)
  })
  return { store, texts }
}

t.test('bug: refusals by the ACL were logged without the missing rule', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const root = new Redis(server.url)
  t.teardown(() => root.disconnect())
  const all = await startAs(t, root, server.url)
  t.same(all.texts, [], 'the documented rules are enough to start')
  // An unhandled rejection would fail this test: the channels of the stores that are open are taken from them, too.
  const cases = [
    [['-evalsha'], /does not permit its user to run EVALSHA: add \+evalsha to its rules with ACL SETUSER/],
    [['-zscore'], /does not permit its user to run (ZSCORE|GET or ZSCORE in a script): add (\+get )?\+zscore/],
    [['resetkeys', '~other:*'], /does not permit its user to use a key: add ~cs:\*/],
    [['resetchannels', '&other:*'], /does not permit its user to use a channel: add &cs:\*/]
  ] as const
  for (const [changes, expected] of cases) {
    const { texts } = await startAs(t, root, server.url, ...changes)
    await until(`it is explained: ${changes.join(' ')}`, () => texts.some(text => expected.test(text)))
    t.notMatch(texts.join(), /carol/, 'without the name of the user')
  }
})

t.test('the messages of all versions are read', async t => {
  const cases = [
    ["NOPERM User u has no permissions to run the 'pubsub|channels' command", 'PUBSUB|CHANNELS', '+pubsub|channels'],
    ["NOPERM this user has no permissions to run the 'get' command", 'GET', '+get'],
    ["NOPERM ACL failure in script: User u has no permissions to run the 'hset' command script: x", 'HSET', '+hset'],
    ["ERR The user executing the script can't run this command or subcommand script: x", 'a command', 'what'],
    ["ERR The user executing the script can't access at least one of the keys mentioned", 'a key', '~cs:*'],
    ['NOPERM this user has no permissions to access one of the keys used as arguments', 'a key', '~cs:*'],
    ['NOPERM No permissions to access a channel', 'a channel', '&cs:*']
  ] as const
  for (const [message, refused, rule] of cases) {
    const missing = missingRuleOf(message)
    t.ok(missing?.refused.includes(refused) && missing.rule.startsWith(rule), message)
  }
  t.equal(missingRuleOf('ERR no such key'), undefined)
  t.match(missingRuleOf("ERR The user executing the script can't run", "redis.call('SET', k)\nredis.pcall('GET', k)"), {
    refused: 'run GET or SET in a script',
    rule: '+get +set'
  })
})

t.test('bug: without INFO the library printed a line', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const root = new Redis(server.url)
  t.teardown(() => root.disconnect())
  const warned = t.capture(console, 'warn')
  const { store, texts } = await startAs(t, root, server.url, '-info')
  await store.ping()
  await t.rejects(async () => void (await store.memory?.()), { cause: { message: /run INFO: add \+info/ } })
  t.same(warned(), [])
  t.same(texts, [])
})
