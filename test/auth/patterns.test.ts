import t from 'tap'
import { covers, coversChannels, matches, matchesChannel } from '../../src/auth/patterns.js'

t.test('matches patterns literally, with at most one final *', async t => {
  t.equal(matches(['a', 'b*'], 'a'), true)
  t.equal(matches(['a', 'b*'], 'ab'), false)
  t.equal(matches(['a', 'b*'], 'b'), true)
  t.equal(matches(['a', 'b*'], 'b.c'), true)
  t.equal(matches(['*'], 'anything'), true)
  t.equal(matches(['a.b'], 'axb'), false)
  t.equal(matches([], 'a'), false)
})

t.test('covers a pattern only when every name that it matches is covered', async t => {
  t.equal(covers(['a*'], 'ab*'), true)
  t.equal(covers(['a*'], 'a*'), true)
  t.equal(covers(['ab*'], 'a*'), false)
  t.equal(covers(['a'], 'a*'), false)
  t.equal(covers(['*'], 'a'), true)
})

t.test('bug: a pattern of reserved channels was covered by patterns that do not match these channels', async t => {
  for (const wanted of ['client:*', 'client:a', 'session:*', 'session:a*']) {
    for (const pattern of ['*', 'c*', 's*', 'client*', 'session*']) {
      t.equal(coversChannels([pattern], wanted), false, `${pattern} does not cover ${wanted}`)
    }
  }
  t.equal(coversChannels(['client:*'], 'client:a*'), true)
  t.equal(coversChannels(['*'], 'clients'), true)
})

t.test('covers exactly the patterns whose channels it matches', async t => {
  const names = ['a', 'client', 'client:', 'client:a', 'client:ab', 'clients', 'session:a', 'x:client:a']
  const patterns = ['*', ...names, ...names.map(name => `${name}*`)]
  for (const held of patterns) {
    for (const wanted of patterns) {
      if (!coversChannels([held], wanted)) continue
      for (const name of names.filter(name => matchesChannel([wanted], name))) {
        t.equal(matchesChannel([held], name), true, `${held} covers ${wanted}, which matches ${name}`)
      }
    }
  }
})
