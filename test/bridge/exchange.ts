import type { Test } from 'tap'
import type { Store } from '../../src/store/store.js'
import { type BridgeWire, connectBridge } from '../helper/bridge-wire.js'
import { createClock, type FakeClock } from '../helper/clock.js'
import { type Gateway, type GatewayOptions, startGateway } from '../helper/gateway.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { hmac, type Message, signText } from '../helper/wire.js'

/** The rules of an exchange (PROTOCOL §9.4), each provoked; on each store. */

const rights = { subscribe: ['*'], publish: ['*'] }

export function exchangeSuite(t: Test, openStore: OpenStoreForTest): void {
  interface Two {
    readonly clock: FakeClock
    readonly store: Store
    readonly gateway: Gateway
    /** Another instance; with the embedded store the same. */
    readonly other: Gateway
  }

  async function start(t: Test, options: GatewayOptions = {}, wrap = (store: Store): Store => store): Promise<Two> {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const config = { lingerMs: 0, ...options.config }
    const gateway = await startGateway(t, { ...options, store: wrap(store), clock, config })
    const second = await another()
    const other = second === store ? gateway : await startGateway(t, { ...options, store: second, clock, config })
    return { clock, store, gateway, other }
  }

  async function open({ gateway }: Pick<Two, 'gateway'>, credential?: Awaited<ReturnType<Gateway['createClient']>>) {
    const wire = await connectBridge(gateway.url)
    wire.authenticate(credential ?? (await gateway.createClient(rights)))
    await wire.next('welcome')
    return wire
  }

  /** A message with its seq, signed: the same bytes however often it is sent. */
  function frame(wire: BridgeWire, { type, ...members }: Message): string {
    return wire.sign({ type, seq: wire.seq++, ...members })
  }

  function publish(gateway: Gateway, channel: string, data: unknown) {
    return gateway.publish({ channel, data })
  }

  const held = (wire: BridgeWire, options = {}) => wire.exchange([], { wait: 25, ...options })

  async function untilHeld({ app }: Gateway, count: number): Promise<void> {
    await until(`${count} polls are held`, async () => app.heldPolls() === count)
  }

  // ── (a) ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  t.test('(a) a body that is none is refused, signed and bound to its poll, and nothing of it runs', async t => {
    const two = await start(t)
    const wire = await open(two)
    const beat = (seq = wire.seq) => wire.sign({ type: 'heartbeat', seq })
    const poll = (number = wire.poll++) => wire.sign({ type: 'poll', poll: number, ack: wire.ack, wait: 0 })
    const big = (bytes: number) => {
      const bare = wire.sign({ type: 'heartbeat', seq: wire.seq, x: '' }).length
      return wire.sign({ type: 'heartbeat', seq: wire.seq, x: 'x'.repeat(bytes - bare) })
    }
    const next = wire.seq
    const many = (count: number) => Array.from({ length: count }, (_, i) => beat(next + i))
    const cases: [string, number, string, boolean, () => string][] = [
      ['no body', 400, 'PROTOCOL_ERROR', false, () => ''],
      ['no poll', 400, 'PROTOCOL_ERROR', false, () => beat()],
      ['a poll that is not last', 400, 'PROTOCOL_ERROR', false, () => [poll(), beat()].join('\n')],
      ['two polls', 400, 'PROTOCOL_ERROR', true, () => [poll(), poll()].join('\n')],
      ['a blank line', 400, 'PROTOCOL_ERROR', true, () => [beat(), '', poll()].join('\n')],
      ['two line feeds at the end', 400, 'PROTOCOL_ERROR', false, () => `${poll()}\n\n`],
      ['CR LF', 400, 'PROTOCOL_ERROR', true, () => `${beat()}\r\n${poll()}`],
      ['seqs with a hole', 400, 'PROTOCOL_ERROR', true, () => [beat(next), beat(next + 2), poll()].join('\n')],
      ['one seq twice', 400, 'PROTOCOL_ERROR', true, () => [beat(next), beat(next), poll()].join('\n')],
      [
        'a bye that is not last',
        ...([400, 'PROTOCOL_ERROR', true] as const),
        () => [wire.sign({ type: 'bye', seq: next }), beat(next + 1), poll()].join('\n')
      ],
      [
        'an authenticate',
        400,
        'PROTOCOL_ERROR',
        true,
        () => [wire.sign({ type: 'authenticate', seq: next }), poll()].join('\n')
      ],
      [
        'a poll without ack',
        400,
        'PROTOCOL_ERROR',
        false,
        () => wire.sign({ type: 'poll', poll: wire.poll++, wait: 0 })
      ],
      [
        'a negative wait',
        400,
        'PROTOCOL_ERROR',
        false,
        () => wire.sign({ type: 'poll', poll: wire.poll++, ack: 1, wait: -1 })
      ],
      ['an unsigned line', 400, 'PROTOCOL_ERROR', true, () => ['{"type":"heartbeat","seq":2}', poll()].join('\n')],
      [
        'a line signed by another',
        401,
        'SIGNATURE_INVALID',
        true,
        () => [signText('k', `{"type":"heartbeat","seq":${next}}`), poll()].join('\n')
      ],
      [
        'a poll signed by another',
        401,
        'SIGNATURE_INVALID',
        false,
        () => signText('k', '{"type":"poll","poll":9,"ack":1,"wait":0}')
      ],
      ['65 messages', 413, 'FRAME_TOO_LARGE', true, () => [...many(65), poll()].join('\n')],
      ['65537 bytes in a line', 413, 'FRAME_TOO_LARGE', true, () => [big(65_537), poll()].join('\n')],
      ['more than 262144 bytes', 413, 'FRAME_TOO_LARGE', true, () => [...Array(4).fill(big(65_536)), poll()].join('\n')]
    ]
    for (const [name, status, code, isBound, body] of cases) {
      await t.test(name, async t => {
        const text = body()
        const answer = await wire.post(text)
        t.equal(answer.status, status)
        t.match(answer.frames, [{ type: 'error', code }])
        const line = answer.text.trimEnd()
        t.equal(line.slice(-66, -2), hmac(wire.keys.server, `${line.slice(0, -80)}}`), 'signed')
        t.equal('poll' in (answer.frames[0] ?? {}), isBound, 'bound where a poll verified')
        t.notOk('seq' in (answer.frames[0] ?? {}), 'outside the sequence')
      })
    }
    t.match(await wire.exchange(many(64)), { status: 200 }, '64 messages are taken, from the same seq on')
  })

  t.test('(a) what is wrong with one message refuses no exchange', async t => {
    const wire = await open(await start(t))
    const lines = [{ type: 'dance' }, { type: 'heartbeat' }, { type: 'publish', channel: 'no channel', data: 1 }]
    const { frames } = await wire.exchange(lines.map(line => frame(wire, line)))
    t.match(frames, [
      { type: 'error', re: 2, code: 'UNKNOWN_TYPE' },
      { type: 'heartbeat', re: 3 },
      { type: 'error', re: 4, code: 'INVALID_CHANNEL' },
      { type: 'polled', re: 1, more: false, superseded: false }
    ])
  })

  t.test('bytes are read whatever the content type, but none that are encoded', async t => {
    const wire = await open(await start(t))
    for (const type of ['application/json', 'text/plain', 'application/x-ndjson; charset=utf-8', 'x/y', '']) {
      const headers: Record<string, string> = type === '' ? {} : { 'content-type': type }
      const { status, headers: got } = await wire.exchange([], { headers })
      t.equal(status, 200, type)
      t.equal(got.get('cache-control'), 'no-store')
    }
    const encoded = await wire.post('x', { headers: { 'content-encoding': 'gzip' } })
    t.equal(encoded.status, 415)
  })

  t.test('what is refused before anybody reads it has the body of §4.4 as well', async t => {
    const two = await start(t)
    const wire = await open(two)
    const { sessionId } = wire
    const refusal = (code: string) => [{ type: 'error', code, message: String, signature: undefined }]
    const long = await wire.post('x'.repeat(2 * 262_144))
    t.match(
      [long.status, long.frames, long.headers.get('cache-control')],
      [413, refusal('FRAME_TOO_LARGE'), 'no-store']
    )
    for (const id of ['x', 'x'.repeat(65), 'x'.repeat(4000), '%ff'.repeat(22), '%']) {
      Object.assign(wire, { sessionId: id })
      const unknown = await wire.post('')
      t.match([unknown.status, unknown.frames], [404, refusal('SESSION_NOT_FOUND')], id.slice(0, 80))
    }
    Object.assign(wire, { sessionId })
    t.equal((await wire.exchange([])).status, 200)
  })

  t.test('the line of an authenticate may end with LF, like any other', async t => {
    const { gateway } = await start(t)
    const credential = await gateway.createClient(rights)
    const answers = ['\n', '\n\n', ''].map(async end => {
      const wire = await connectBridge(gateway.url)
      const body = `${wire.authenticateFrame(credential)}${end}`
      return (await fetch(`${gateway.url}/v1/bridge/sessions`, { method: 'POST', body })).status
    })
    t.same(await Promise.all(answers), [201, 400, 201])
  })

  // ── (b), (c), (d) ──────────────────────────────────────────────────────────────────────────────────────────────────

  t.test('(b) a message that was seen is not run again; one beyond the next runs nothing', async t => {
    const two = await start(t)
    const wire = await open(two)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    const first = frame(wire, { type: 'publish', channel: 'c', data: 1 })
    const second = frame(wire, { type: 'publish', channel: 'c', data: 2 })
    await wire.exchange([first])
    const again = await wire.exchange([first, second])
    t.match(again.polled, { type: 'polled', superseded: false })
    const third = frame(wire, { type: 'publish', channel: 'c', data: 3 })
    const fourth = frame(wire, { type: 'publish', channel: 'c', data: 4 })
    const beyond = await wire.post([fourth, wire.sign({ type: 'poll', poll: wire.poll, ack: 1, wait: 0 })].join('\n'))
    t.equal(beyond.status, 409)
    t.match(beyond.frames, [{ type: 'error', code: 'SEQUENCE_INVALID', poll: wire.poll, expectedSeq: wire.seq - 2 }])
    await wire.exchange([third, fourth], { url: two.other.url })
    const { publications } = await two.store.channels.read('c', { offset: 0, epoch: await epochOf(two.store, 'c') }, 99)
    t.same(
      publications?.map(({ data }) => data),
      ['1', '2', '3', '4']
    )
  })

  async function epochOf(store: Store, channel: string): Promise<string> {
    return (await store.channels.read(channel, undefined, 1)).top.epoch
  }

  t.test('(b, f) an old poll number: its messages run, its answer is `polled` alone', async t => {
    const wire = await open(await start(t))
    await wire.exchange([], { poll: 5 })
    wire.poll = 6
    const beat = frame(wire, { type: 'heartbeat' })
    const old = await wire.exchange([beat], { poll: 5 })
    t.match(old.frames, [{ type: 'polled', re: 5, more: false, superseded: true }])
    t.match((await wire.exchange([])).frames, [{ type: 'heartbeat', re: 2 }, { type: 'polled' }])
    const nothing = await wire.exchange([beat], { poll: 5, ack: 99 })
    t.match(nothing.frames, [{ type: 'polled', superseded: true }], 'nothing new: not even its ack is looked at')
  })

  t.test('(c) a lost answer loses nothing: the same messages with another poll, at another instance', async t => {
    const two = await start(t)
    const wire = await open(two)
    const lines = [frame(wire, { type: 'publish', channel: 'c', data: 'once' }), frame(wire, { type: 'heartbeat' })]
    const poll = (wait = 0) => wire.sign({ type: 'poll', poll: wire.poll++, ack: wire.ack, wait })
    const lost = await wire.post([...lines, poll()].join('\n'))
    const repeated = await wire.post([...lines, poll()].join('\n'), { url: two.other.url })
    t.match(repeated.frames, [{ type: 'published', offset: 1 }, { type: 'heartbeat' }, { type: 'polled' }])
    t.same(repeated.text.split('\n').slice(0, 2), lost.text.split('\n').slice(0, 2), 'byte for byte (rule e)')
    t.equal((await two.store.channels.read('c', undefined, 1)).top.offset, 1, 'and run once')
  })

  /** A store in which publications to `stuck` wait until they are let go. */
  function stuckStore(gate: { open: () => void; calls: number }) {
    return (store: Store): Store => ({
      ...store,
      channels: Object.create(store.channels, {
        publish: {
          value: async (channel: string, ...rest: [string, Parameters<Store['channels']['publish']>[2]]) => {
            if (channel === 'stuck' && ++gate.calls === 1) {
              await new Promise<void>(resolve => Object.assign(gate, { open: resolve }))
            }
            return store.channels.publish(channel, ...rest)
          }
        }
      })
    })
  }

  t.test('(c, d) an answer that takes too long comes later, wakes a held poll, and keeps the order', async t => {
    const gate = { open: () => {}, calls: 0 }
    const two = await start(t, { bridgeAnswerWithinMs: 50 }, stuckStore(gate))
    const wire = await open(two)
    const slow = frame(wire, { type: 'publish', channel: 'stuck', data: 1 })
    const early = await wire.exchange([slow])
    t.match(early.frames, [{ type: 'polled', superseded: false }], 'without its answer')
    const behind = frame(wire, { type: 'heartbeat' })
    const still = await wire.exchange([slow, behind], { url: two.other.url })
    t.match(still.frames, [{ type: 'polled' }], 'what comes after it waits for it')
    const poll = held(wire)
    await untilHeld(two.gateway, 1)
    gate.open()
    const { frames } = await poll
    t.match(frames[0], { type: 'published', re: 2 })
    if (frames.length < 3) t.match((await held(wire)).frames[0], { type: 'heartbeat', re: 3 })
    else t.match(frames[1], { type: 'heartbeat', re: 3 })
    t.equal(gate.calls, 1)
  })

  t.test('(c) messages of an instance that died are run by another, under the same key', async t => {
    const gate = { open: () => {}, calls: 0 }
    const two = await start(t, { bridgeAnswerWithinMs: 50 }, stuckStore(gate))
    if (two.other === two.gateway) {
      t.pass('one process has no other')
      return
    }
    const wire = await open(two)
    const lines = [
      frame(wire, { type: 'publish', channel: 'stuck', data: 'first' }),
      frame(wire, { type: 'publish', channel: 'c', data: 'second' })
    ]
    t.match((await wire.exchange(lines)).frames, [{ type: 'polled' }])
    // The instance never says that it lives: it has not been ticked.
    const { frames } = await wire.exchange([], { url: two.other.url, wait: 25 })
    const answers = frames.length > 2 ? frames : [...frames, ...(await held(wire, { url: two.other.url })).frames]
    t.match(
      answers.filter(({ type }) => type !== 'polled'),
      [
        { type: 'published', channel: 'stuck', offset: 1 },
        { type: 'published', channel: 'c', offset: 1 }
      ]
    )
    // The dead one comes back and finishes what it began: it is fenced off, and its effect has happened already.
    gate.open()
    await until('it has tried', async () => gate.calls >= 1)
    t.match((await wire.exchange([])).frames, [{ type: 'polled', more: false }], 'no second answer')
    t.equal((await two.store.channels.read('stuck', undefined, 1)).top.offset, 1, 'no second effect')
  })

  // ── (e), (f), (g) ──────────────────────────────────────────────────────────────────────────────────────────────────

  t.test('(e) frames are repeated until acknowledged; a lower ack has no effect', async t => {
    const wire = await open(await start(t))
    const { frames, text } = await wire.exchange([
      frame(wire, { type: 'heartbeat' }),
      frame(wire, { type: 'heartbeat' })
    ])
    t.equal(frames.length, 3)
    const repeated = await wire.exchange([], { ack: 1, wait: 25 })
    t.same(repeated.text.split('\n').slice(0, 2), text.split('\n').slice(0, 2))
    t.match((await wire.exchange([], { ack: 2 })).frames, [{ seq: 3 }, { type: 'polled' }])
    t.match((await wire.exchange([], { ack: 1 })).frames, [{ seq: 3 }, { type: 'polled' }])
    t.match((await wire.exchange([], { ack: 3 })).frames, [{ type: 'polled' }])
  })

  t.test('(e) an answer has its size; more follows at once', async t => {
    const two = await start(t)
    const wire = await open(two)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    for (let i = 0; i < 12; i++) await publish(two.gateway, 'c', 'x'.repeat(30_000))
    const first = await wire.exchange([])
    t.ok(first.text.length <= 262_144, `${first.text.length} bytes`)
    t.match(first.polled, { more: true })
    const second = await wire.exchange([])
    t.match(second.polled, { more: false })
    t.equal(first.frames.length + second.frames.length, 12 + 2)
  })

  t.test('an ack above what was given out ends the session', async t => {
    const wire = await open(await start(t))
    const answer = await wire.exchange([], { ack: 7 })
    t.equal(answer.status, 404)
    t.match(answer.frames, [{ type: 'error', code: 'SESSION_NOT_FOUND' }])
    t.notMatch(answer.text, /signature/)
  })

  t.test('(f) a poll that would wait takes the place of the one that is held, also at another instance', async t => {
    const two = await start(t)
    const wire = await open(two)
    for (const url of [two.gateway.url, two.other.url]) {
      const older = held(wire)
      await untilHeld(two.gateway, 1)
      const newer = held(wire, { url })
      const answer = await older
      t.match(answer.frames, [{ type: 'polled', superseded: true, more: false }])
      await publish(two.gateway, `session:${wire.sessionId}`, 'hello')
      t.match((await newer).frames, [
        { type: 'publication', data: 'hello' },
        { type: 'polled', superseded: false }
      ])
    }
  })

  t.test('(f, g) an exchange that does not wait disturbs no held poll, and its own answers do not wake it', async t => {
    const two = await start(t)
    const wire = await open(two)
    const poll = held(wire)
    await untilHeld(two.gateway, 1)
    for (const url of [two.gateway.url, two.other.url]) {
      const { frames } = await wire.exchange([frame(wire, { type: 'heartbeat' })], { url })
      t.match(frames, [{ type: 'heartbeat' }, { type: 'polled', superseded: false }])
      t.equal(two.gateway.app.heldPolls(), 1, 'it is held still')
    }
    await publish(two.gateway, `session:${wire.sessionId}`, 1)
    const woken = (await poll).frames.filter(({ type }) => type === 'publication')
    t.match(woken, [{ data: 1 }], 'all others do')
  })

  t.test('bug: word that came between the arrival of a poll and its hold was lost', async t => {
    const gate = { passed: 0, open: () => {} }
    const two = await start(t, {}, store => ({
      ...store,
      bridge: Object.create(store.bridge, {
        exchange: {
          // The answer to an exchange that would wait stays out for as long as the test likes.
          value: async (request: Parameters<Store['bridge']['exchange']>[0]) => {
            const outcome = await store.bridge.exchange(request)
            if (request.isLongPoll && ++gate.passed === 2) {
              await new Promise<void>(resolve => Object.assign(gate, { open: resolve }))
            }
            return outcome
          }
        }
      })
    }))
    const wire = await open(two)
    const older = held(wire)
    await untilHeld(two.gateway, 1)
    const newer = held(wire)
    await until('it has arrived', () => gate.passed === 2)
    const newest = held(wire)
    t.match((await older).polled, { superseded: true })
    gate.open()
    t.match((await newer).polled, { superseded: true }, 'it came before the newest, which holds')
    await publish(two.gateway, `session:${wire.sessionId}`, 1)
    t.match((await newest).frames, [{ data: 1 }, { type: 'polled', superseded: false }])
  })

  t.test('(g) a channel that is joined while a poll is held wakes it', async t => {
    const two = await start(t)
    const wire = await open(two)
    for (const [channel, url] of [
      ['here', two.gateway.url],
      ['there', two.other.url]
    ] as const) {
      const poll = held(wire)
      await untilHeld(two.gateway, 1)
      await wire.exchange([frame(wire, { type: 'subscribe', channel })], { url })
      await publish(two.gateway, channel, channel)
      const { frames } = await poll
      t.match(
        frames.filter(({ type }) => type === 'publication'),
        [{ channel, data: channel }]
      )
    }
  })

  t.test('more can ride along with the first frame', async t => {
    const two = await start(t, { config: { lingerMs: 300 } })
    const wire = await open(two)
    const poll = held(wire)
    await untilHeld(two.gateway, 1)
    for (const i of [1, 2, 3]) await publish(two.gateway, `session:${wire.sessionId}`, i)
    t.match((await poll).frames, [{ data: 1 }, { data: 2 }, { data: 3 }, { type: 'polled' }])
  })

  t.test('a hold comes to its end; one that nobody reads any more is let go', async t => {
    const two = await start(t)
    const wire = await open(two)
    t.match((await wire.exchange([], { wait: 0.05 })).frames, [{ type: 'polled', superseded: false, more: false }])
    const away = new AbortController()
    const left = held(wire, { signal: away.signal })
    left.catch(() => {})
    await untilHeld(two.gateway, 1)
    away.abort()
    await untilHeld(two.gateway, 0)
    await publish(two.gateway, `session:${wire.sessionId}`, 'kept')
    t.match((await held(wire)).frames, [{ data: 'kept' }, { type: 'polled' }], 'and nothing is lost')
  })

  // ── The end ────────────────────────────────────────────────────────────────────────────────────────────────────────

  t.test('bye, revocation and expiry end a held poll at once, told by a signed 410, then 404', async t => {
    const two = await start(t)
    const { gateway, other, clock } = two
    const endings: [
      string,
      string,
      (wire: BridgeWire, client: { clientId: string; keyId: string }) => Promise<unknown>
    ][] = [
      ['SESSION_EXPIRED', 'bye', wire => wire.exchange([frame(wire, { type: 'bye' })], { url: other.url })],
      ['SESSION_REVOKED', 'revocation', (_, c) => other.admin('DELETE', `/clients/${c.clientId}/keys/${c.keyId}`)],
      ['SESSION_REVOKED', 'an operator', wire => other.admin('DELETE', `/sessions/${wire.sessionId}`)],
      ['SESSION_EXPIRED', 'changed rights', (_, c) => other.admin('PATCH', `/clients/${c.clientId}`, { publish: [] })]
    ]
    for (const [code, name, act] of endings) {
      await t.test(name, async t => {
        const credential = await gateway.createClient(rights)
        const wire = await open(two, credential)
        const poll = held(wire)
        await untilHeld(gateway, 1)
        const number = wire.poll - 1
        await act(wire, credential)
        const answer = await poll
        t.equal(answer.status, 410)
        t.match(answer.frames, [{ type: 'error', code, poll: number }])
        const line = answer.text.trimEnd()
        t.equal(line.slice(-66, -2), hmac(wire.keys.server, `${line.slice(0, -80)}}`), 'signed')
        await until('it is over everywhere', async () => (await wire.exchange([], { url: other.url })).status === 410)
        t.equal(await two.store.sessions.get(wire.sessionId), undefined)
        clock.advance(121_000)
        if (two.store.kind === 'embedded') {
          await gateway.app.tick()
          t.equal((await wire.exchange([])).status, 404, 'after 120 s nobody knows it')
        }
      })
    }
    const wire = await open(two)
    const bye = await wire.exchange([frame(wire, { type: 'bye' })])
    t.match(bye.frames, [{ type: 'ack' }, { type: 'polled' }])
  })

  t.test('silence ends a session, a held poll does not', async t => {
    const two = await start(t)
    const [silent, waiting] = [await open(two), await open(two)]
    const poll = held(waiting)
    await untilHeld(two.gateway, 1)
    two.clock.advance(89_999)
    await two.other.app.tick()
    await two.gateway.app.tick()
    two.clock.advance(1)
    await two.other.app.tick()
    await two.gateway.app.tick()
    t.match((await silent.exchange([])).frames, [{ type: 'error', code: 'HEARTBEAT_LOST' }])
    await publish(two.gateway, `session:${waiting.sessionId}`, 1)
    t.match((await poll).frames, [{ data: 1 }, { type: 'polled' }])
  })

  t.test('what brings nothing new is no sign of life', async t => {
    const two = await start(t)
    const wire = await open(two)
    await wire.exchange([], { poll: 5 })
    for (let i = 0; i < 3; i++) {
      two.clock.advance(30_000)
      const { polled } = await wire.exchange([], { poll: 5, wait: 25 })
      if (i < 2) t.match(polled, { superseded: true })
      await two.gateway.app.tick()
    }
    t.match((await wire.exchange([], { poll: 6 })).frames, [{ type: 'error', poll: 6, code: 'HEARTBEAT_LOST' }])
  })

  t.test(
    'bug: what brought nothing new was a sign of life while it was under way, or came to another instance',
    async t => {
      const gate = { isClosed: false, waiting: 0, open: () => {} }
      const two = await start(t, {}, store => ({
        ...store,
        bridge: Object.create(store.bridge, {
          exchange: {
            value: async (request: Parameters<Store['bridge']['exchange']>[0]) => {
              if (gate.isClosed) {
                gate.waiting++
                await new Promise<void>(resolve => Object.assign(gate, { open: resolve }))
              }
              return store.bridge.exchange(request)
            }
          }
        })
      }))
      const wire = await open(two)
      await wire.exchange([], { poll: 5 })
      two.clock.advance(89_999)
      t.match((await wire.exchange([], { poll: 5, url: two.other.url })).polled, { superseded: true })
      gate.isClosed = true
      const stale = wire.exchange([], { poll: 5 })
      await until('it is under way', () => gate.waiting === 1)
      for (const ms of [0, 1]) {
        two.clock.advance(ms)
        await two.other.app.tick()
        await two.gateway.app.tick()
      }
      gate.isClosed = false
      gate.open()
      t.match((await stale).frames, [{ code: 'HEARTBEAT_LOST' }])
    }
  )

  t.test('a session whose instance is gone goes on at another, with its channels and its rights', async t => {
    const two = await start(t)
    const credential = await two.gateway.createClient(rights)
    const wire = await open(two, credential)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    await publish(two.gateway, 'c', 'missed by nobody')
    await two.gateway.app.server.close()
    if (two.other === two.gateway) {
      t.pass('one process has no other instance')
      return
    }
    t.match((await wire.exchange([], { url: two.other.url })).frames, [
      { data: 'missed by nobody' },
      { type: 'polled' }
    ])
    await two.other.admin('DELETE', `/clients/${credential.clientId}/keys/${credential.keyId}`)
    t.match((await held(wire, { url: two.other.url })).frames, [{ code: 'SESSION_REVOKED' }])
  })

  t.test('a stop answers held polls at once', async t => {
    const two = await start(t)
    const wire = await open(two)
    const poll = held(wire)
    await untilHeld(two.gateway, 1)
    const stopped = two.gateway.app.stop()
    const answer = await poll
    t.match(answer.frames, [{ type: 'polled', superseded: false }])
    t.equal(answer.headers.get('connection'), 'close')
    await stopped
  })

  // ── Bounds ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  t.test('a fifth exchange at one time is refused, signed', async t => {
    const gate = { open: () => {}, calls: 0 }
    const two = await start(t, {}, stuckStore(gate))
    const wire = await open(two)
    const slow = frame(wire, { type: 'publish', channel: 'stuck', data: 1 })
    const answers = Array.from({ length: 5 }, () => wire.exchange([slow]))
    const refused = await Promise.race(answers)
    t.match(refused.frames, [{ type: 'error', code: 'RATE_LIMITED', retryAfterMs: 1000 }])
    t.equal(refused.headers.get('retry-after'), '1')
    gate.open()
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    t.same(statuses.sort(), [200, 200, 200, 200, 429])
  })

  t.test('too much from one session is refused, signed, and nothing of it runs', async t => {
    const two = await start(t, { config: { rateLimit: true, framesPerSecond: 2 } })
    const wire = await open(two)
    const lines = [1, 2, 3].map(() => frame(wire, { type: 'heartbeat' }))
    t.equal((await wire.exchange(lines)).status, 200)
    const refused = await wire.post(wire.sign({ type: 'poll', poll: wire.poll, ack: 1, wait: 0 }))
    t.equal(refused.status, 429)
    t.match(refused.frames, [{ type: 'error', code: 'RATE_LIMITED', poll: wire.poll }])
    t.ok(Number(refused.frames[0]?.['retryAfterMs']) > 0)
  })

  t.test('who is further behind than frames may wait is let go', async t => {
    const two = await start(t)
    const wire = await open(two)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    for (let i = 0; i < 1025; i++) await publish(two.gateway, 'c', i)
    t.match((await wire.exchange([])).frames, [{ type: 'error', code: 'SLOW_CONSUMER' }])
  })

  t.test('who never acknowledges is let go', async t => {
    const two = await start(t)
    const wire = await open(two)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    let last = 200
    for (let i = 0; i < 60 && last === 200; i++) {
      for (let k = 0; k < 3; k++) await publish(two.gateway, 'c', 'x'.repeat(30_000))
      last = (await wire.exchange([], { ack: 1 })).status
    }
    t.equal(last, 410)
  })

  t.test('requests that do not verify are braked by address; who shares it and verifies is served', async t => {
    const two = await start(t, { config: { rateLimit: true } })
    const wire = await open(two)
    let status = 0
    for (let i = 0; i < 700 && status !== 429; i++) status = (await wire.post('x')).status
    t.equal(status, 429)
    t.match(await two.store.bridge.read(wire.sessionId, 1), { received: 1 }, 'the session is as it was')
    t.equal((await wire.exchange([])).status, 200)
    Object.assign(wire, { sessionId: 'x'.repeat(32) })
    t.equal((await wire.exchange([])).status, 429, 'nor is the store asked for strangers')
  })

  t.test('bug: a session whose rights could not be read was served all the same, from the next request on', async t => {
    const { StoreUnavailable } = await import('../../src/store/store.js')
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    if (store.kind === 'embedded') {
      t.pass('one process has no other instance')
      return
    }
    const away = { now: false }
    const get: Store['durable']['get'] = key =>
      away.now ? Promise.reject(new StoreUnavailable()) : second.durable.get(key)
    const second = await another()
    const gateway = await startGateway(t, { store, clock })
    const other = await startGateway(t, { store: { ...second, durable: { ...second.durable, get } }, clock })
    const credential = await gateway.createClient(rights)
    const wire = await open({ gateway }, credential)
    await gateway.app.server.close()
    await other.admin('DELETE', `/clients/${credential.clientId}/keys/${credential.keyId}`)
    away.now = true
    for (let i = 0; i < 2; i++) t.equal((await wire.exchange([], { url: other.url })).status, 503)
    away.now = false
    t.match((await wire.exchange([], { url: other.url })).frames, [{ code: 'SESSION_REVOKED' }])
  })

  t.test('a challenge of a socket is none of the bridge, and the other way round', async t => {
    const { gateway } = await start(t)
    const credential = await gateway.createClient()
    const [socket, bridge] = [await gateway.wire(), await connectBridge(gateway.url)]
    Object.assign(bridge, { challengeToken: socket.challengeToken })
    bridge.authenticate(credential)
    t.match(JSON.parse(await bridge.nextText()), { code: 'AUTHENTICATION_FAILED' })
    const other = await connectBridge(gateway.url)
    const second = await gateway.wire()
    Object.assign(second, { challengeToken: other.challengeToken })
    second.authenticate(credential)
    t.match(JSON.parse(await second.nextText()), { code: 'AUTHENTICATION_FAILED' })
  })

  t.test('without a store: 503, signed where the keys are at hand', async t => {
    const { StoreUnavailable } = await import('../../src/store/store.js')
    const away = { now: false }
    const refuse = () => Promise.reject(new StoreUnavailable())
    const two = await start(t, {}, store => ({
      ...store,
      bridge: Object.create(store.bridge, {
        exchange: { value: (r: never) => (away.now ? refuse() : store.bridge.exchange(r)) },
        info: { value: (id: string) => (away.now ? refuse() : store.bridge.info(id)) }
      })
    }))
    const wire = await open(two)
    away.now = true
    const signed = await wire.exchange([])
    t.match(
      { status: signed.status, frames: signed.frames },
      { status: 503, frames: [{ code: 'UNAVAILABLE', poll: 1 }] }
    )
    t.match(signed.text, /signature/)
    Object.assign(wire, { sessionId: 'x'.repeat(32) })
    const unsigned = await wire.exchange([])
    t.equal(unsigned.status, 503)
    t.notMatch(unsigned.text, /signature/)
  })
}
