import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { slotCount } from '../../src/store/redis/key-slot.js'
import { startRedis } from './redis-server.js'
import { until } from './until.js'

export interface RedisCluster {
  readonly url: string
  /** A connection to each primary, in the order of their slots. */
  readonly admins: readonly Redis[]
}

/** Starts a Cluster of primaries that share the slots evenly. */
export async function startCluster(t: Test, size = 3): Promise<RedisCluster> {
  const options = ['--cluster-enabled', 'yes', '--save', '', '--appendonly', 'no', '--cluster-node-timeout', '2000']
  const nodes = await Promise.all(Array.from({ length: size }, () => startRedis(options)))
  t.teardown(() => Promise.all(nodes.map(node => node.stop())))
  const ports = nodes.map(({ url }) => Number(new URL(url).port))
  const admins = ports.map(port => new Redis({ port, host: '127.0.0.1' }))
  t.teardown(() => {
    for (const admin of admins) admin.disconnect()
  })
  for (const [i, admin] of admins.entries()) {
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
    const share = (n: number) => Math.floor((n * slotCount) / size)
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', share(i), share(i + 1) - 1)
  }
  // After each node has its epoch: a node that has met another one accepts none.
  for (const admin of admins) {
    for (const port of ports) await admin.call('CLUSTER', 'MEET', '127.0.0.1', port)
  }
  for (const admin of admins) {
    await until('the cluster is ready', async () => {
      const info = String(await admin.call('CLUSTER', 'INFO'))
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${size}`)
    })
  }
  return { url: `redis+cluster://${ports.map(port => `127.0.0.1:${port}`).join(',')}`, admins }
}
