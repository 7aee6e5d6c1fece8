import { startSentinel } from '../redis-topologies.mjs'
import { emptyAndRestore } from '../restore.mjs'

export const title = 'FLUSHALL of a primary behind Sentinel; `countersign restore` brings everything back'

export async function run(context) {
  await emptyAndRestore(context, await startSentinel())
}
