/**
 * Measures the size of each kind of object in the embedded store, on disk and in memory, and how long the move of a
 * restore takes on both stores: the source of the figures in docs/operating.md. It needs `npm run build`, redis-server
 * and some 600 MB of disk. Run: node --expose-gc scripts/measure-store.mjs [restore [records]]
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRegistry } from '../dist/registry/index.js'
import { openEmbeddedStore } from '../dist/store/embedded/index.js'
import { openRedisStore } from '../dist/store/redis/index.js'
import { freePort, loopback, startRedisServer } from '../test/helper/processes.mjs'

const things = 20_000
const publicationsPerChannel = 100
const restoredRecords = Number(process.argv[3] ?? 200_000)
const chunkRecords = 500
const changesAtOnce = 200

const folder = mkdtempSync(join(tmpdir(), 'countersign-measure-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

function memoryBytes() {
  for (let i = 0; i < 4; i++) globalThis.gc()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

const fileBytes = dataDir => statSync(join(dataDir, 'countersign.mdb')).size

/** Runs `make` for 0 … count-1, some of them at once. */
async function times(count, make, atOnce = changesAtOnce) {
  for (let at = 0; at < count; at += atOnce) {
    await Promise.all(Array.from({ length: Math.min(atOnce, count - at) }, (_, i) => make(at + i)))
  }
}

async function measure(dataDir, what, count, work) {
  const before = [fileBytes(dataDir), memoryBytes()]
  await work()
  const [file, memory] = [fileBytes(dataDir) - before[0], memoryBytes() - before[1]]
  const per = bytes => String(Math.round(bytes / count)).padStart(7)
  console.log(`${what.padEnd(62)} ${per(file)} bytes on disk ${per(memory)} bytes in memory`)
}

/** A new store, so that no file has space that something else left. */
async function withStore(work) {
  const dataDir = mkdtempSync(join(folder, 'data-'))
  const store = openEmbeddedStore(dataDir, Date.now)
  await work({ dataDir, store, registry: await openRegistry(store, [randomBytes(32)], Date.now) })
  await store.close()
}

async function importAll(registry) {
  const importId = await registry.imports.start('admin')
  for (let at = 0; at < things; at += chunkRecords) {
    const licenseAt = i => ({ serviceId: 'shop', by: { key: `key-${at + i}` } })
    const chunk = Array.from({ length: chunkRecords }, (_, i) => licenseAt(i))
    await registry.imports.stage(importId, chunk, 'admin')
  }
  await registry.imports.commit(importId, 'admin')
}

async function measureDurable() {
  await withStore(({ dataDir, registry: { clients } }) =>
    measure(dataDir, 'client, with its audit entry', things, () =>
      times(things, i => clients.create({ clientId: `client-${i}` }, 'admin'))
    )
  )
  await withStore(({ dataDir, registry: { licenses } }) =>
    measure(dataDir, 'license, with its audit entry', things, () =>
      times(things, i => licenses.create({ serviceId: 'shop', key: `key-${i}` }, 'admin'))
    )
  )
  await withStore(({ dataDir, registry }) =>
    measure(dataDir, 'license of an import', things, () => importAll(registry))
  )
  await withStore(async ({ dataDir, registry: { clients } }) => {
    await clients.create({ clientId: 'client-1' }, 'admin')
    await measure(dataDir, 'change of a client: its audit entry', things, () =>
      times(things, i => clients.update('client-1', { services: [`service-${i}`] }, 'admin'), 1)
    )
  })
}

/** 98 characters that no other publication shares. */
const dataAt = i => JSON.stringify(`${String(i).padStart(10, '0')}${randomBytes(66).toString('base64url')}`)

const withoutKey = () => ({ publishedAt: Date.now(), idempotencyKey: '', owners: 'client:client-1' })
const withKey = i => ({ ...withoutKey(), idempotencyKey: `client-1 channel key-${i}` })

async function measureEphemeral() {
  await withStore(async ({ dataDir, store, registry }) => {
    const each = (what, make, count = things) => measure(dataDir, what, count, () => times(count, make))
    await each('channel without publications', i => store.channels.read(`empty-${i}`, undefined, 1))
    await each('channel with one publication of 100 bytes', i =>
      store.channels.publish(`one-${i}`, dataAt(i), withoutKey())
    )
    await each(
      `publication of 100 bytes, ${publicationsPerChannel} to a channel`,
      i => store.channels.publish(`many-${Math.floor(i / publicationsPerChannel)}`, dataAt(i), withoutKey()),
      things * 5
    )
    await each('idempotency key', i => store.channels.publish('keys', '1', withKey(i)))
    const at = Date.now()
    await each('session', i =>
      store.sessions.open(
        {
          ...{ sessionId: randomBytes(24).toString('base64url'), clientId: `client-${i}`, keyId: `key-${i}` },
          ...{ instanceId: 'instance', transport: 'ws', openedAt: at, expiresAt: at + 1e9, deadline: at + 1e9 },
          ...{ remoteAddress: '203.0.113.7', attributes: {} }
        },
        10
      )
    )
    await each('ticket', i => registry.tickets.create({ clientId: `visitor-${i}`, ttlSeconds: 86_400 }, 'admin'))
  })
}

/** A license as it is sealed: some 600 bytes. */
const sealed = () => `v2.00000000.${randomBytes(420).toString('base64url')}`

async function measureRestore(name, store) {
  const ids = Array.from({ length: restoredRecords }, () => randomBytes(16).toString('hex'))
  await store.restore.begin('restore-1')
  const startedAt = performance.now()
  for (let at = 0; at < restoredRecords; at += chunkRecords) {
    const records = ids
      .slice(at, at + chunkRecords)
      .map(id => ({ key: `license:lic_${id}`, version: 1, text: sealed() }))
    const entries = records.map((_, i) => ({
      seq: at + i + 1,
      text: `{"seq":${at + i + 1},"detail":"${'x'.repeat(330)}"}`
    }))
    await store.restore.stage('restore-1', records, entries)
  }
  const stagedAt = performance.now()
  const entry = { seq: restoredRecords + 1, text: '{}', hash: '' }
  let longestMs = 0
  let lastAt = performance.now()
  const watch = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastAt)
    lastAt = performance.now()
  }, 5)
  const isMoved = await store.restore.commit('restore-1', { identity: 'identity', entry })
  const movedAt = performance.now()
  await new Promise(resolve => setTimeout(resolve, 20))
  clearInterval(watch)
  const seconds = ms => (ms / 1000).toFixed(2)
  console.log(
    `${name}: ${restoredRecords} records and audit entries: staged in ${seconds(stagedAt - startedAt)} s, moved in ` +
      `${seconds(movedAt - stagedAt)} s (${isMoved}), this process did not run for ${seconds(longestMs)} s`
  )
}

async function withRedis(work) {
  const { child, port } = await startRedisServer(await freePort(), folder, ['--appendonly', 'yes'])
  try {
    await work(`redis://${loopback}:${port}`)
  } finally {
    await child.stop()
  }
}

if (process.argv[2] === 'restore') {
  const embedded = openEmbeddedStore(join(folder, 'restored'), Date.now)
  await measureRestore('embedded', embedded)
  await embedded.close()
  await withRedis(async url => {
    const store = await openRedisStore(url)
    await measureRestore('Redis', store)
    await store.close()
  })
} else {
  await measureEphemeral()
  await measureDurable()
}
