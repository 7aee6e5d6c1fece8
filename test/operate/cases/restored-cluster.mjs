import { startCluster } from '../redis-topologies.mjs'
import { emptyAndRestore } from '../restore.mjs'

export const title = 'FLUSHALL of all nodes of a Cluster; `countersign restore` brings everything back'

export async function run(context) {
  await emptyAndRestore(context, await startCluster())
}
