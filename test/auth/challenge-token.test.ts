import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  checkChallenge,
  clockToleranceMs,
  consumeChallenge,
  issueChallengeToken,
  usedMarkLifeMs
} from '../../src/auth/challenge-token.js'
import { createSessionId, isOwnSessionId } from '../../src/auth/session-id.js'
import { createKeyring } from '../../src/registry/keyring.js'
import { createClock } from '../helper/clock.js'
import { stores } from '../helper/stores.js'

const randomText = (bytes: number) => randomBytes(bytes).toString('base64url')
const [keyA, keyB] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]

async function start(t: Test, masterKeys: readonly Uint8Array[] = [keyA]) {
  const clock = createClock()
  const { store } = await stores.embedded(t, clock.now)
  return { clock, store, steadyNow: clock.now, randomText, registry: createKeyring(masterKeys) }
}

t.test('a token looks random, and is good on its socket, or on the bridge', async t => {
  const dependencies = await start(t)
  const tokens = await Promise.all(Array.from({ length: 64 }, () => issueChallengeToken(dependencies, true)))
  for (let i = 0; i < 32; i++) {
    const values = new Set(tokens.map(token => Buffer.from(token, 'base64url')[i]))
    t.ok(values.size > 32, `byte ${i} has ${values.size} values in 64 tokens`)
  }
  const [token = '', other = ''] = tokens
  t.match(token, /^[A-Za-z0-9_-]{43}$/)
  const foreign = { fault: 'foreign challenge', issued: { token } }
  t.match(await checkChallenge(dependencies, token, token), { fault: undefined, issued: { token } })
  t.match(await checkChallenge(dependencies, token, other), foreign)
  t.match(await checkChallenge(dependencies, token, undefined), foreign)
  const ofBridge = await issueChallengeToken(dependencies, false)
  t.match(await checkChallenge(dependencies, ofBridge, undefined), { fault: undefined, issued: { token: ofBridge } })
  t.match(await checkChallenge(dependencies, ofBridge, ofBridge), { fault: 'foreign challenge' })
})

t.test('refuses changed tokens, even another spelling of the same bytes', async t => {
  const dependencies = await start(t)
  const token = await issueChallengeToken(dependencies, false)
  const bytes = Buffer.from(token, 'base64url')
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes)
    changed[i] = (changed[i] ?? 0) ^ 1
    const checked = await checkChallenge(dependencies, changed.toString('base64url'), undefined)
    t.match(checked, { fault: 'unknown challenge', issued: undefined }, `byte ${i}`)
  }
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(token.at(-1) ?? '')
  const respelled = token.slice(0, -1) + alphabet[last + 1]
  t.same(Buffer.from(respelled, 'base64url'), bytes, 'the same bytes')
  for (const other of [respelled, '', 'A', 'A'.repeat(43), `${token}A`, 'ä'.repeat(43)]) {
    t.match(
      await checkChallenge(dependencies, other, undefined),
      { fault: 'unknown challenge', issued: undefined },
      other
    )
  }
})

t.test('checks the age with tolerance for another instance, and keeps marks longer than that', async t => {
  const dependencies = await start(t)
  const token = await issueChallengeToken(dependencies, false)
  const at = (ms: number) =>
    checkChallenge({ ...dependencies, steadyNow: () => dependencies.clock.now() + ms }, token, undefined)
  t.match(await at(60_000), { fault: undefined, issued: { token } })
  t.match(await at(60_001), { fault: 'late challenge' })
  t.match(await at(-clockToleranceMs), { fault: undefined, issued: { token } }, 'issued by a clock that is ahead')
  t.match(await at(-clockToleranceMs - 1), { fault: 'late challenge' })
  const { issued: challenge = { token: '', fence: '' } } = await at(0)
  t.equal(await consumeChallenge(dependencies, challenge), true)
  dependencies.clock.advance(usedMarkLifeMs - 1)
  t.equal(await consumeChallenge(dependencies, challenge), false, 'used, for as long as any instance may accept it')
})

t.test('accepts tokens under every master key, and none of another store', async t => {
  const both = await start(t, [keyB, keyA])
  const old = { ...both, registry: createKeyring([keyA]) }
  const foreign = await start(t, [keyB, keyA])
  const token = await issueChallengeToken(old, false)
  t.match(await checkChallenge(both, token, undefined), { issued: { token } })
  t.match(await checkChallenge(foreign, token, undefined), { fault: 'unknown challenge', issued: undefined })
  t.match(await checkChallenge(old, await issueChallengeToken(both, false), undefined), {
    fault: 'unknown challenge',
    issued: undefined
  })
})

t.test('recognizes session ids under every master key', async t => {
  const [both, old] = [createKeyring([keyB, keyA]), createKeyring([keyA])]
  const id = createSessionId(old, randomText)
  t.match(id, /^[A-Za-z0-9_-]{33}$/)
  t.equal(isOwnSessionId(both, id), true)
  t.equal(isOwnSessionId(old, createSessionId(both, randomText)), false)
  for (const other of ['', id.slice(0, -1), `${id}A`, `A${id.slice(1)}`, randomText(24)]) {
    if (other !== id) t.equal(isOwnSessionId(both, other), false, other)
  }
})
