import t from 'tap'
import { mayListSessions } from '../../src/auth/permissions.js'

t.test('a call pattern that can match a method of a client permits listing its sessions', async t => {
  for (const pattern of ['game/kick', 'game/*', 'game/ki*', '*']) t.ok(mayListSessions([pattern], 'game'), pattern)
  for (const pattern of ['game2/*', 'gam/*', 'Game/*']) t.notOk(mayListSessions([pattern], 'game'), pattern)
  t.notOk(mayListSessions([], 'game'))
  t.ok(mayListSessions(['other/*', 'game/kick'], 'game'))
})
