import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import {
  freePort,
  isOpen,
  loopback,
  makeFolder,
  start,
  startRedisServer,
  until,
  untilReady
} from '../helper/processes.mjs'

/** One Redis, a primary behind a Sentinel, and a Cluster, each with a way to empty it. They end with the run. */

const totalSlots = 16_384
const nodeCount = 3
const readyMs = 20_000

async function flush(ports) {
  for (const port of ports) {
    const admin = new Redis(port, loopback)
    await admin.flushall()
    admin.disconnect()
  }
}

export async function startSingle() {
  const { port } = await startRedisServer(await freePort())
  return { url: `redis://${loopback}:${port}`, empty: () => flush([port]) }
}

/** @returns its URL, with the sentinel of a primary */
async function watch(port, options = []) {
  const sentinelPort = await freePort()
  const folder = makeFolder()
  const file = join(folder, 'sentinel.conf')
  const lines = [`port ${sentinelPort}`, `bind ${loopback}`, `sentinel monitor main ${loopback} ${port} 1`, ...options]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const sentinel = start('redis-server', [file, '--sentinel'], {}, folder)
  await untilReady('the sentinel', sentinel, () => isOpen(sentinelPort))
  return `redis+sentinel://${loopback}:${sentinelPort}/main`
}

export async function startSentinel() {
  const { port } = await startRedisServer(await freePort())
  return { url: await watch(port), empty: () => flush([port]) }
}

/** A primary with a replica behind a Sentinel that promotes it a few seconds after the primary is lost. */
export async function startReplicated() {
  const primary = await startRedisServer(await freePort())
  const replica = await startRedisServer(await freePort())
  const admin = new Redis(replica.port, loopback)
  await admin.replicaof(loopback, primary.port)
  await until('the replica follows', readyMs, async () => /master_link_status:up/.test(await admin.info('replication')))
  admin.disconnect()
  const url = await watch(primary.port, [
    'sentinel down-after-milliseconds main 5000',
    'sentinel failover-timeout main 10000'
  ])
  return { url, primary, replicaPort: replica.port }
}

async function startNode() {
  const port = await freePort()
  const options = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--save', '', '--appendonly', 'no']
  const node = start('redis-server', ['--bind', loopback, '--port', `${port}`, ...options])
  await untilReady('a node', node, () => isOpen(port))
  return port
}

export async function startCluster() {
  const ports = []
  for (let i = 0; i < nodeCount; i++) ports.push(await startNode())
  const admins = ports.map(port => new Redis(port, loopback))
  const share = i => Math.floor((i * totalSlots) / nodeCount)
  for (const [i, admin] of admins.entries()) {
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', share(i), share(i + 1) - 1)
  }
  for (const admin of admins) for (const port of ports) await admin.call('CLUSTER', 'MEET', loopback, port)
  for (const admin of admins) {
    await until('the cluster is ready', readyMs, async () => {
      const info = String(await admin.call('CLUSTER', 'INFO'))
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodeCount}`)
    })
    admin.disconnect()
  }
  const url = `redis+cluster://${ports.map(port => `${loopback}:${port}`).join(',')}`
  return { url, empty: () => flush(ports) }
}
