// Publishes to channel `a` of an embedded store until it is killed, and reports each position that it has acknowledged.
import { openEmbeddedStore } from '../../dist/store/embedded/index.js'

const store = openEmbeddedStore(process.argv[2], Date.now)
await store.tickets.put('ticket', 'text', 60_000, 'owner')
for (let n = 1; ; n++) {
  const { offset, epoch } = await store.channels.publish('a', String(n), {
    publishedAt: Date.now(),
    idempotencyKey: ''
  })
  if (n % 100 === 0) {
    process.send({ offset, epoch })
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
