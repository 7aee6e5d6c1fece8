import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { maxForwardedHops, normalizeForwardedFor } from '../../src/http/forwarded-for.js'
import { startGateway } from '../helper/gateway.js'
import { upgrade } from '../ws/upgrade.js'

function normalized(header: string): string | undefined {
  const request = { headers: { 'x-forwarded-for': header } }
  normalizeForwardedFor(request as unknown as IncomingMessage)
  return request.headers['x-forwarded-for']
}

t.test('writes every entry as a canonical address', async t => {
  t.equal(normalized('198.51.100.7'), '198.51.100.7')
  t.equal(normalized('198.51.100.7:4711'), '198.51.100.7')
  t.equal(normalized('[2001:db8::1]:4711, "198.51.100.7:1" ,::ffff:10.0.0.1'), '2001:db8::1, 198.51.100.7, 10.0.0.1')
  t.equal(normalized('garbage, 198.51.100.7'), '198.51.100.7', 'garbage ends the chain')
  t.equal(normalized('198.51.100.7, unknown'), undefined)
  t.equal(normalized(''), undefined)
  const many = Array.from({ length: 100 }, (_, i) => `198.51.100.${i}`).join(', ')
  t.equal(normalized(many)?.split(', ').length, maxForwardedHops)
  t.match(normalized(many), /198\.51\.100\.99$/, 'the nearest hops')
})

t.test('bug: a port in X-Forwarded-For evaded every limit', async t => {
  const config = { rateLimit: true, trustProxy: ['127.0.0.1'], handshakesPerMinute: 3 }
  for (const spellings of [
    ['198.51.100.7', '198.51.100.7:1', '"198.51.100.7:2"', '::ffff:198.51.100.7'],
    ['[2001:db8::1]:1', '[2001:db8::2]:2', '2001:db8::3', '"[2001:DB8::4]"'],
    ['garbage', 'more garbage', '198.51.100.7, unknown', '_hidden:1']
  ]) {
    const gateway = await startGateway(t, { config })
    const challenge = async (address: string) => {
      const headers = { 'x-forwarded-for': address }
      return (await fetch(`${gateway.url}/v1/bridge/challenge`, { method: 'POST', headers })).status
    }
    const statuses: number[] = []
    for (const spelling of spellings) statuses.push(await challenge(spelling))
    t.same(statuses, [200, 200, 200, 429], `${spellings}`)
    for (const address of spellings.slice(0, 3)) await upgrade(gateway, { 'x-forwarded-for': address })
    t.equal((await upgrade(gateway, { 'x-forwarded-for': String(spellings[3]) })).status, 429, 'on the upgrade too')
    t.equal(await challenge('203.0.113.99'), 200, 'others are not limited')
  }
})

t.test('ignores X-Forwarded-For of a peer that is no trusted proxy', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true, handshakesPerMinute: 1 } })
  const challenge = (address: string) =>
    fetch(`${gateway.url}/v1/bridge/challenge`, { method: 'POST', headers: { 'x-forwarded-for': address } })
  t.equal((await challenge('198.51.100.1')).status, 200)
  t.equal((await challenge('198.51.100.2')).status, 429)
})
