import { startSingle } from '../redis-topologies.mjs'
import { emptyAndRestore } from '../restore.mjs'

export const title = 'FLUSHALL of a single Redis; `countersign restore` brings everything back'

export async function run(context) {
  await emptyAndRestore(context, await startSingle())
}
