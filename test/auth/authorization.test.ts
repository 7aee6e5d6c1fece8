import t from 'tap'
import { revalidate } from '../../src/auth/authorization.js'
import type { Capabilities } from '../../src/auth/capabilities.js'

const now = 1000

function capabilities(
  subscribe: string[],
  publish = ['p'],
  services = ['*'],
  rest: Partial<Capabilities> = {}
): Capabilities {
  return { subscribe, publish, services, call: ['a/b'], presence: [], ...rest }
}

function sessionWith(subscribe: string[]) {
  return { capabilities: capabilities(subscribe), expiresAt: 2000 }
}

t.test('keeps a session whose credential is unchanged', async t => {
  t.same(revalidate(capabilities(['a', 'b*']), sessionWith(['a', 'b*']), now), { action: 'keep', expiresAt: 2000 })
})

t.test('moves the end of a session forward, never back', async t => {
  const session = sessionWith(['a'])
  t.match(revalidate({ ...capabilities(['a']), expiresAt: 1500 }, session, now), { action: 'keep', expiresAt: 1500 })
  t.match(revalidate({ ...capabilities(['a']), expiresAt: 9000 }, session, now), { action: 'keep', expiresAt: 2000 })
  t.equal(session.expiresAt, 2000, 'the session itself is not changed')
})

t.test('ends a session whose credential is gone, revoked or expired', async t => {
  const revoked = { action: 'end', code: 'SESSION_REVOKED' }
  t.same(revalidate(undefined, sessionWith(['a']), now), revoked)
  t.same(revalidate({ ...capabilities(['a']), revokedAt: 1 }, sessionWith(['a']), now), revoked)
  const expired = { action: 'end', code: 'SESSION_EXPIRED' }
  t.same(revalidate({ ...capabilities(['a']), expiresAt: now }, sessionWith(['a']), now), expired)
  t.same(revalidate(capabilities(['a']), sessionWith(['a']), 2000), expired)
})

t.test('narrows a session when only subscribe was narrowed', async t => {
  for (const [before, after] of [
    [['a', 'b'], ['a']],
    [['a'], []],
    [['*'], ['news.*', 'a']],
    [['news.*'], ['news.sports.*']],
    [
      ['a', 'b'],
      ['b', 'a']
    ]
  ] as const) {
    t.same(
      revalidate(capabilities([...after]), sessionWith([...before]), now),
      { action: 'narrow', capabilities: capabilities([...after]), expiresAt: 2000 },
      `${before} to ${after}`
    )
  }
})

t.test('ends a session for any other change of capabilities', async t => {
  const expired = { action: 'end', code: 'SESSION_EXPIRED' }
  t.same(revalidate(capabilities(['a', 'b']), sessionWith(['a']), now), expired, 'wider')
  t.same(revalidate(capabilities(['b']), sessionWith(['a']), now), expired, 'another channel')
  t.same(revalidate(capabilities(['news.*']), sessionWith(['news.sports']), now), expired, 'a wider pattern')
  t.same(revalidate(capabilities(['a'], []), sessionWith(['a']), now), expired, 'publish')
  t.same(revalidate(capabilities([], []), sessionWith(['a']), now), expired, 'publish, with a narrower subscribe')
  const without = capabilities(['a'], ['p'], ['*'], { call: [] })
  t.same(revalidate(without, sessionWith(['a']), now), expired, 'a narrower call')
  const more = capabilities(['a'], ['p'], ['*'], { presence: ['a'] })
  t.same(revalidate(more, sessionWith(['a']), now), expired, 'presence')
  t.same(revalidate(capabilities(['a'], ['p'], ['s']), sessionWith(['a']), now), expired, 'services')
})
