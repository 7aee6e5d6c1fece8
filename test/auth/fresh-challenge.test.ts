import t from 'tap'
import {
  answerFreshChallenge,
  isChallengeDue,
  isChallengeOverdue,
  issueFreshChallenge,
  scheduleChallenge
} from '../../src/auth/fresh-challenge.js'
import { challengeSeconds } from '../../src/protocol/limits.js'
import { hmac } from '../helper/wire.js'

const secret = 'secret'
const intervalMs = 600_000
const token = 'T'.repeat(43)

t.test('a challenge is due after each interval, unless one is open', async t => {
  const state = scheduleChallenge(0, intervalMs)
  t.equal(isChallengeDue(state, intervalMs - 1, intervalMs), false)
  t.equal(isChallengeDue(state, intervalMs, intervalMs), true)
  t.equal(isChallengeDue(scheduleChallenge(0, 0), 1, 0), false, 'an interval of 0 switches challenges off')
  const issued = issueFreshChallenge(token, secret, intervalMs, intervalMs)
  t.equal(isChallengeDue(issued, intervalMs * 9, intervalMs), false)
})

t.test('an open challenge is overdue at the end of its life', async t => {
  const issued = issueFreshChallenge(token, secret, 0, intervalMs)
  t.equal(isChallengeOverdue(issued, challengeSeconds * 1000 - 1), false)
  t.equal(isChallengeOverdue(issued, challengeSeconds * 1000), true)
  t.equal(isChallengeOverdue(scheduleChallenge(0, intervalMs), Infinity), false)
})

t.test('an answer closes the challenge and schedules the next', async t => {
  const issued = issueFreshChallenge(token, secret, 0, intervalMs)
  const signature = hmac(secret, token)
  const { state, isCorrect } = answerFreshChallenge(issued, token, signature, 10, intervalMs)
  t.equal(isCorrect, true)
  t.same(state, { nextAt: 10 + intervalMs })
  t.equal(answerFreshChallenge(state, token, signature, 20, intervalMs).isCorrect, false, 'a second answer')
})

t.test('an answer to another challenge, or with another secret, is not correct', async t => {
  const issued = issueFreshChallenge(token, secret, 0, intervalMs)
  const other = 'U'.repeat(43)
  t.equal(answerFreshChallenge(issued, other, hmac(secret, other), 1, intervalMs).isCorrect, false)
  t.equal(answerFreshChallenge(issued, token, hmac('other', token), 1, intervalMs).isCorrect, false)
  t.equal(answerFreshChallenge(issued, token, '', 1, intervalMs).isCorrect, false)
  t.same(answerFreshChallenge(issued, token, '', 1, intervalMs).state, { nextAt: 1 + intervalMs }, 'it is closed')
})

t.test('no secret is kept in the state', async t => {
  t.notMatch(JSON.stringify(issueFreshChallenge(token, 'sk_live_value', 0, intervalMs)), /sk_live_value/)
})
