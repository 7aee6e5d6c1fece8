import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { createHttpEdge } from '../../src/http/edge.js'
import { createUnverifiedSockets, markVerified } from '../../src/http/unverified-sockets.js'

/** A socket that only knows its endpoints. */
function fakeSocket(remoteAddress: string, remotePort: number): Socket & { destroyed: boolean } {
  const socket = Object.assign(new EventEmitter(), {
    ...{ remoteAddress, remotePort, localAddress: '127.0.0.1', localPort: 8080, destroyed: false },
    destroy() {
      socket.destroyed = true
      socket.emit('close')
    }
  })
  return socket as unknown as Socket & { destroyed: boolean }
}

function start({ maxPerAddress = 100, maxTotal = 100 }) {
  const refused: string[] = []
  const sockets = createUnverifiedSockets({
    ...{ maxPerAddress, maxTotal, onRefused: bound => refused.push(bound) },
    keyOf: address => (address === 'proxy' ? undefined : address)
  })
  let port = 0
  const open = (address: string) => {
    const socket = fakeSocket(address, ++port)
    sockets.add(socket)
    return socket
  }
  return { refused, sockets, open }
}

t.test('bounds the sockets of one address, not those of a proxy or another address', async t => {
  const { refused, sockets, open } = start({ maxPerAddress: 2 })
  const [first, second, third] = [open('a'), open('a'), open('a')]
  t.same([first.destroyed, second.destroyed, third.destroyed], [true, false, false], 'the oldest is closed')
  const fourth = open('a')
  t.same([second.destroyed, third.destroyed, fourth.destroyed], [true, false, false])
  const others = [open('b'), open('proxy'), open('proxy'), open('proxy')]
  for (const other of others) t.equal(other.destroyed, false)
  t.same(refused, ['address', 'address'])
  t.equal(sockets.size, 6)
})

t.test('bounds the sockets of all addresses together', async t => {
  const { refused, open } = start({ maxTotal: 2 })
  const [first, second, third] = [open('a'), open('proxy'), open('b')]
  t.same([first.destroyed, second.destroyed, third.destroyed], [true, false, false])
  t.equal(open('b').destroyed, false)
  t.equal(second.destroyed, true)
  t.same(refused, ['total', 'total'])
})

t.test('does not count verified or closed sockets', async t => {
  const { sockets, open } = start({ maxPerAddress: 1 })
  const first = open('a')
  markVerified(first)
  markVerified(first)
  t.equal(sockets.size, 0)
  const second = open('a')
  t.same([first.destroyed, second.destroyed], [false, false], '1,000 sessions of one address never meet the bound')
  second.destroy()
  t.equal(sockets.size, 0)
  t.equal(open('a').destroyed, false)
})

t.test('recognizes a TLS socket by its endpoints', async t => {
  const { sockets, open } = start({})
  const plain = open('a')
  const tls = fakeSocket('a', plain.remotePort ?? 0)
  sockets.secured(tls)
  markVerified(tls)
  t.equal(sockets.size, 0)
})

t.test('counts no trusted proxy, and no address without rate limits, but always the total', async t => {
  const trustProxy = ['10.0.0.0/8', '2001:db8::1']
  for (const [address, rateLimit, isCounted] of [
    ['10.1.2.3', true, false],
    ['::ffff:10.1.2.3', true, false],
    ['2001:db8::1', true, false],
    ['2001:db8::2', true, true],
    ['203.0.113.1', true, true],
    ['203.0.113.1', false, false]
  ] as const) {
    const { sockets, refusedSockets } = createHttpEdge({ trustProxy, rateLimit, pendingBodyBytes: 1, workers: 1 })
    for (let port = 0; port <= 4096; port++) sockets.add(fakeSocket(address, port))
    t.equal(refusedSockets.address, isCounted ? 1 : 0, `${address} ${rateLimit}`)
    t.equal(sockets.size, isCounted ? 4096 : 4097)
  }
})

t.test('workers share the memory of the machine for unverified peers', async t => {
  const bodyBytes = 64 * 1024 * 1024
  const shareOf = (workers: number) => {
    const { sockets, budget } = createHttpEdge({
      trustProxy: [],
      rateLimit: true,
      pendingBodyBytes: bodyBytes,
      workers
    })
    for (let port = 0; port < 5000; port++) sockets.add(fakeSocket('203.0.113.1', port))
    return { ofAddress: sockets.size, sockets: sockets.maxSize, bodyBytes: budget.maxBytes }
  }
  t.same(shareOf(1), { ofAddress: 4096, sockets: 16_384, bodyBytes })
  t.same(shareOf(4), { ofAddress: 1024, sockets: 4096, bodyBytes: bodyBytes / 4 })
  t.same(shareOf(64), { ofAddress: 512, sockets: 2048, bodyBytes: 8 * 1024 * 1024 }, 'the least that is of use')
})
