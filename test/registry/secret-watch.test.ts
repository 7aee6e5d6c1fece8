import { randomBytes } from 'node:crypto'
import t from 'tap'
import { Pepper } from '../../src/registry/pepper.js'
import { SecretWatch } from '../../src/registry/secret-watch.js'
import type { InstanceAnnouncement } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'

const masterKey = randomBytes(32)

t.test('bug: different admin tokens or master keys of instances went unnoticed', async t => {
  const clock = createClock()
  const pepper = new Pepper(randomBytes(32))
  const announced: InstanceAnnouncement[] = [{ schemaVersion: 2 }]
  const lines: string[] = []
  const start = (id: string, masterKeys: readonly Uint8Array[], adminToken: string) => {
    const log = { warn: (_fields: object, message: string) => lines.push(`${id} ${message}`) }
    const store = { announcements: async () => announced }
    const watch = new SecretWatch({ store, pepper, masterKeys, adminToken, log, now: clock.now })
    announced.push({ schemaVersion: 2, secrets: watch.digests })
    return watch
  }
  const first = start('i_1', [masterKey], 'a'.repeat(32))
  start('i_2', [masterKey], 'a'.repeat(32))
  await first.tick()
  t.same(lines, [], 'the same secrets; an earlier version announces none')
  t.notMatch(JSON.stringify(announced), /aaaa/, 'a digest')

  const third = start('i_3', [masterKey, randomBytes(32)], 'b'.repeat(32))
  for (let i = 0; i < 3; i++) {
    clock.advance(10_000)
    await first.tick()
    await third.tick()
  }
  t.match(lines, [
    /^i_1 other instances have another admin token: .+: set the same COUNTERSIGN_ADMIN_TOKEN on all$/,
    /^i_1 other instances have other master keys: .+: set the same COUNTERSIGN_MASTER_KEY on all$/,
    /^i_3 other instances have another admin token/,
    /^i_3 other instances have other master keys/
  ])
  t.equal(lines.length, 4, 'once each')
})
