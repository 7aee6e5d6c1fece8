import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { diagnose } from '../../src/store/redis/diagnose.js'
import { openRedisStore, type RedisStoreOptions } from '../../src/store/redis/index.js'
import { type RedisServer, startRedis } from '../helper/redis-server.js'
import { writeTlsFiles } from '../helper/tls-files.js'
import { until } from '../helper/until.js'
import { record } from './channel-helpers.js'

/** The forms of COUNTERSIGN_STORE on real servers: TLS, passwords of sentinels, and why a connection fails. */

const memoryOnly = ['--save', '', '--appendonly', 'no']
const files = writeTlsFiles(mkdtempSync(join(tmpdir(), 'countersign-tls-')))
t.teardown(() => rmSync(join(files.ca, '..'), { recursive: true }))
const caPem = readFileSync(files.ca, 'utf8')
const tlsArgs = [
  ...['--tls-cert-file', files.cert, '--tls-key-file', files.key, '--tls-ca-cert-file', files.ca],
  ...['--tls-auth-clients', 'no', '--tls-replication', 'yes', '--tls-cluster', 'yes']
]
const clusterArgs = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']
const access = { tls: { ca: caPem } }

function portOf({ url }: RedisServer): string {
  return new URL(url).port
}

async function start(t: Test, ...args: Parameters<typeof startRedis>): Promise<RedisServer> {
  const server = await startRedis(...args)
  t.teardown(() => server.stop())
  return server
}

/** Writes through both kinds of connection: that of commands, and that of publications. */
async function useStore(t: Test, url: string, options: RedisStoreOptions): Promise<void> {
  const store = await openRedisStore(url, { connectWithinMs: 10_000, ...options })
  t.teardown(() => store.close())
  const { heard } = record(store.channels)
  await store.channels.listen(['news'])
  await store.channels.publish('news', '1', { publishedAt: Date.now(), idempotencyKey: '' })
  await until('the publication is received', () => heard.length > 0)
}

/** Why a store does not open. */
async function whyNot(url: string, options: RedisStoreOptions = {}): Promise<string> {
  try {
    const store = await openRedisStore(url, { connectWithinMs: 300, ...options })
    await store.close()
    return 'it opens'
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
  }
}

/** A sentinel of the primary `main`. */
function startSentinel(t: Test, primary: RedisServer, settings: readonly string[], isTls = false) {
  const prepare = (dir: string) => {
    const path = join(dir, 'sentinel.conf')
    writeFileSync(path, [`sentinel monitor main 127.0.0.1 ${portOf(primary)} 1`, ...settings, ''].join('\n'))
    return path
  }
  const password = { password: 'sentinel-pw' }
  return start(t, ['--sentinel', ...(isTls ? tlsArgs : [])], prepare, isTls ? { ...password, ...access } : password)
}

t.test('bug: rediss with an own authority, in all three forms', { timeout: 60_000 }, async t => {
  const primary = await start(t, [...memoryOnly, ...tlsArgs], undefined, access)
  await useStore(t, `rediss://127.0.0.1:${portOf(primary)}`, { caPem })
  await useStore(t, `rediss://localhost:${portOf(primary)}`, { caPem })

  const sentinel = await startSentinel(t, primary, ['requirepass sentinel-pw'], true)
  const sentinelUrl = `rediss+sentinel://127.0.0.1:${portOf(sentinel)}/main`
  await useStore(t, sentinelUrl, { caPem, sentinelPassword: 'sentinel-pw' })

  const node = await start(t, [...memoryOnly, ...tlsArgs, ...clusterArgs], undefined, access)
  const admin = new Redis({ ...access, host: '127.0.0.1', port: Number(portOf(node)) })
  t.teardown(() => admin.disconnect())
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383)
  await until('the cluster is ready', async () => String(await admin.call('CLUSTER', 'INFO')).includes('state:ok'))
  await useStore(t, `rediss+cluster://localhost:${portOf(node)}`, { caPem })

  for (const url of [`rediss://127.0.0.1:${portOf(primary)}`, `rediss+cluster://127.0.0.1:${portOf(node)}`]) {
    t.match(await whyNot(url), /certificate that is not trusted: set COUNTERSIGN_REDIS_CA/, url)
  }
  t.match(
    await whyNot(sentinelUrl, { sentinelPassword: 'sentinel-pw' }),
    /Sentinel at .* not trusted: set COUNTERSIGN_REDIS_CA/
  )
  t.match(await whyNot(`redis://127.0.0.1:${portOf(primary)}`), /speaks TLS only: write rediss/)
})

t.test('bug: sentinels with a password of their own', async t => {
  const primary = await start(t, [...memoryOnly, '--requirepass', 'redis-pw'], undefined, { password: 'redis-pw' })
  const sentinel = await startSentinel(t, primary, ['requirepass sentinel-pw', 'sentinel auth-pass main redis-pw'])
  const at = `127.0.0.1:${portOf(sentinel)}`
  const url = `redis+sentinel://:redis-pw@${at}/main`
  const sentinelPassword = 'sentinel-pw'
  await useStore(t, url, { sentinelPassword })
  t.match(await whyNot(url), /Sentinel at .* wants a password: add it: COUNTERSIGN_SENTINEL_PASSWORD/)
  t.match(
    await whyNot(url, { sentinelPassword: 'wrong' }),
    /Sentinel at .* refuses the user or password: correct them in COUNTERSIGN_SENTINEL_PASSWORD/
  )
  t.match(
    await whyNot(`redis+sentinel://:redis-pw@${at}/mian`, { sentinelPassword }),
    /Sentinel at .* knows no primary "mian": end COUNTERSIGN_STORE in the name/
  )
  t.match(await whyNot(`redis+sentinel://${at}/main`, { sentinelPassword }), /Redis at .* wants a password/)
})

t.test('bug: a failed start did not name its cause and remedy', { timeout: 60_000 }, async t => {
  const plain = await start(t)
  const locked = await start(t, [...memoryOnly, '--requirepass', 'redis-pw'], undefined, { password: 'redis-pw' })
  const admin = new Redis(plain.url)
  t.teardown(() => admin.disconnect())
  await admin.call('ACL', 'SETUSER', 'shortname', 'on', '>pw', '~*', '&*', '+@all', '-ping')
  const [open, closed] = [`127.0.0.1:${portOf(plain)}`, `127.0.0.1:${portOf(locked)}`]
  const cases = [
    [`redis://${closed}`, /^Redis at 127\.0\.0\.1:\d+ wants a password: add it: COUNTERSIGN_STORE$/],
    [`redis://:wrong@${closed}`, /refuses the user or password: correct them in COUNTERSIGN_STORE$/],
    [`redis+cluster://${open}`, /is no Cluster: write redis:\/\//],
    [`rediss://${open}`, /does not speak TLS: write redis in COUNTERSIGN_STORE/],
    [`redis+sentinel://${open}/main`, /is no sentinel: name the port of Sentinel/],
    ['redis://127.0.0.1:1', /accepts no connection: is it running/],
    ['redis://no-such-host.invalid', /host name that does not resolve/]
  ] as const
  for (const [url, why] of cases) {
    const text = await whyNot(url)
    t.match(text, why, url)
    t.notMatch(text, /wrong|shortname/)
  }
})

t.test('bug: at maxclients a running gateway did not name the cause', { timeout: 60_000 }, async t => {
  const server = await start(t)
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const refused: string[] = []
  const store = await openRedisStore(server.url, { onRefused: ({ cause, todo }) => refused.push(`${cause}: ${todo}`) })
  t.teardown(() => store.close())
  await admin.config('SET', 'maxclients', '1')
  t.match(await whyNot(server.url), /has no connection left \(maxclients\): raise its maxclients/)
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await until('the running gateway names it', () => refused.length > 0)
  t.match(refused, [/has no connection left \(maxclients\)/])
})

t.test('bug: a database that Redis does not have was replaced by database 0', async t => {
  const server = await start(t, memoryOnly)
  const root = new Redis(server.url)
  t.teardown(() => root.disconnect())
  for (const end of ['/99', '?db=99']) {
    const url = `${server.url}${end}`
    t.match(await whyNot(url), /no connection|no database/, url)
    t.match(await diagnose({ url }), { cause: /has no database of that number/, answers: true }, url)
  }
  t.equal(await root.dbsize(), 0, 'nothing was written elsewhere')
  t.equal(await diagnose({ url: `${server.url}/3` }), undefined)
  await useStore(t, `${server.url}/3`, {})
  t.equal(await root.dbsize(), 0, 'a database that is there is used')
})

t.test('bug: refusals by a server that answers PING were logged without advice', async t => {
  const server = await start(t, memoryOnly)
  const root = new Redis(server.url)
  t.teardown(() => root.disconnect())
  const refused: string[] = []
  const failed: string[] = []
  const onRefused = ({ cause, todo }: { cause: string; todo: string }) => refused.push(`${cause}: ${todo}`)
  const store = await openRedisStore(server.url, { onRefused, onError: error => failed.push(error.message) })
  t.teardown(() => store.close())
  await root.call('REPLICAOF', '127.0.0.1', '1')
  const causes = new Set<string>()
  await until('the refusal is explained', async () => {
    const error = await store.rateLimits.consume('x', 1, 1).catch((reason: Error) => reason)
    causes.add(String((error as Error).cause))
    return refused.length > 0
  })
  t.match(refused[0], /is a replica: name the primary in COUNTERSIGN_STORE/)
  t.notMatch([...causes, ...failed].join(), /enableOfflineQueue/, 'no line names an option of a library')
})

/** Forwards connections, and breaks all of them on demand: bytes that are not TLS, then a reset. */
async function startBreakingProxy(t: Test, target: string) {
  const sockets = new Set<Socket>()
  const proxy = createServer(socket => {
    const upstream = connect(Number(target), '127.0.0.1')
    for (const end of [socket, upstream]) end.on('error', () => {})
    sockets.add(socket.on('close', () => sockets.delete(socket)))
    socket.pipe(upstream).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => proxy.close())
  return {
    port: (proxy.address() as AddressInfo).port,
    get count() {
      return sockets.size
    },
    /** @param leave  whether the connections stay open */
    breakAll(leave: boolean) {
      for (const socket of sockets) {
        socket.unpipe()
        socket.write('x'.repeat(100), () => leave || socket.resetAndDestroy())
      }
    }
  }
}

t.test('bug: a second error of a TLS socket ended the process, and the first one left it open', async t => {
  const server = await start(t, [...memoryOnly, ...tlsArgs], undefined, access)
  const proxy = await startBreakingProxy(t, portOf(server))
  const errors: string[] = []
  const url = `rediss://127.0.0.1:${proxy.port}`
  const store = await openRedisStore(url, {
    caPem,
    connectWithinMs: 10_000,
    onError: ({ message }) => errors.push(message)
  })
  t.teardown(() => store.close())
  for (const leave of [false, true]) {
    await until('all are connected', () => proxy.count >= 3)
    errors.length = 0
    proxy.breakAll(leave)
    await until('it is noticed', () => errors.length > 0)
    await until('it works again', () =>
      store.ping().then(
        () => true,
        () => false
      )
    )
    await until('publications arrive again', () => store.channels.isReceiving)
  }
})
