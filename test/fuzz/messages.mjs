/** A valid message of each upstream type, without `seq`. */
export const messages = [
  { type: 'heartbeat' },
  { type: 'validate', serviceId: 'svc', hwid: 'hwid', key: 'key' },
  { type: 'subscribe', channel: 'c.1' },
  { type: 'subscribe', channel: 'c.1', recover: { offset: 0, epoch: 'e' } },
  { type: 'subscribe', channel: 'c.1', last: 3, presence: true },
  { type: 'history', channel: 'c.1', limit: 2, before: { offset: 2, epoch: 'e' } },
  { type: 'attributes', attributes: { team: 'blue' } },
  { type: 'sessions', clientId: 'fuzz', limit: 2, after: 'a' },
  { type: 'presence', channel: 'c.1', limit: 1 },
  { type: 'unsubscribe', channel: 'c.1' },
  { type: 'publish', channel: 'c.1', data: { text: 'hi', list: [1, { a: null }] } },
  { type: 'publish', channel: 'c.2', data: 1, idempotencyKey: 'k' },
  { type: 'challengeResponse', challengeToken: 'a'.repeat(43), challengeSignature: '0'.repeat(64) },
  { type: 'nonsense', a: 1 }
]
