import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { maxForwardedHops, normalizeForwardedFor } from '../../src/http/forwarded-for.js'
import { type Gateway, startGateway } from '../helper/gateway.js'
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

/** Requests that an address has left in this minute, after one more of them. */
async function remainingOf({ url }: Pick<Gateway, 'url'>, address: string): Promise<number> {
  const response = await fetch(`${url}/nothing`, { headers: { 'x-forwarded-for': address } })
  return Number(response.headers.get('x-ratelimit-remaining'))
}

t.test('bug: a port in X-Forwarded-For evaded every limit', async t => {
  const config = { rateLimit: true, trustProxy: ['127.0.0.1'] }
  for (const spellings of [
    ['198.51.100.7', '198.51.100.7:1', '"198.51.100.7:2"', '::ffff:198.51.100.7'],
    ['[2001:db8::1]:1', '[2001:db8::2]:2', '2001:db8::3', '"[2001:DB8::4]"'],
    ['garbage', 'more garbage', '198.51.100.7, unknown', '_hidden:1']
  ]) {
    const gateway = await startGateway(t, { config })
    const first = await remainingOf(gateway, '203.0.113.99')
    t.ok(first > spellings.length)
    const remaining: number[] = []
    for (const spelling of spellings) remaining.push(await remainingOf(gateway, spelling))
    t.same(remaining, [first, first - 1, first - 2, first - 3], `${spellings}`)
    for (const address of spellings) await upgrade(gateway, { 'x-forwarded-for': address }, '/nothing')
    t.equal(await remainingOf(gateway, String(spellings[0])), first - 8, 'an upgrade counts for the same address')
    t.equal(await remainingOf(gateway, '203.0.113.99'), first - 1, 'others are not limited')
  }
})

t.test('ignores X-Forwarded-For of a peer that is not a trusted proxy', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true } })
  const first = await remainingOf(gateway, '198.51.100.1')
  t.equal(await remainingOf(gateway, '198.51.100.2'), first - 1)
})
