import t from 'tap'
import { createBoundedLog } from '../../src/log/bounded-log.js'
import { ProtocolError } from '../../src/protocol/protocol-error.js'
import type { Log } from '../../src/session/dependencies.js'
import { frameErrorOf } from '../../src/session/frame-error.js'
import { StoreUnavailable } from '../../src/store/errors.js'

const log: Log = { debug() {}, info() {}, warn() {}, error() {} }
const boundedLog = createBoundedLog(log, Date.now, Date.now)

t.test('UNAVAILABLE states whether the command may have reached the store', async t => {
  t.match(frameErrorOf(new StoreUnavailable(), 5, log, boundedLog), {
    ...{ ends: false, seq: 5, code: 'UNAVAILABLE', retryAfterMs: 1000, outcome: 'unknown' }
  })
  t.match(frameErrorOf(new StoreUnavailable(undefined, 'unsent'), 5, log, boundedLog), { outcome: 'unsent' })
})

t.test('an unexpected error ends the session and does not show its message', async t => {
  const error = frameErrorOf(new Error('a bug'), 5, log, boundedLog)
  t.match(error, { ends: true, seq: 5, code: 'INTERNAL' })
  t.notMatch(error.message, /a bug/)
})

t.test('a protocol error ends the session if its code has a close code', async t => {
  t.match(frameErrorOf(new ProtocolError('INVALID_MESSAGE', 'x'), 5, log, boundedLog), { ends: false, message: 'x' })
  t.match(frameErrorOf(new ProtocolError('SEQUENCE_INVALID'), undefined, log, boundedLog), {
    ends: true,
    seq: undefined
  })
  t.match(frameErrorOf(new ProtocolError('PROTOCOL_ERROR', 'x', 7), undefined, log, boundedLog), { ends: true, seq: 7 })
})

t.test('RATE_LIMITED in reply to a frame leaves the session up', async t => {
  t.match(frameErrorOf(new ProtocolError('RATE_LIMITED'), 5, log, boundedLog), { ends: false, seq: 5 })
  t.match(frameErrorOf(new ProtocolError('RATE_LIMITED'), undefined, log, boundedLog), { ends: true })
})
