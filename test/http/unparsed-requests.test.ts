import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { createUnparsedRequests } from '../../src/http/unparsed-requests.js'

/** A socket of a server that treats all that arrives as no HTTP. */
async function open(t: Test, count: () => Promise<boolean>) {
  const lines: string[] = []
  const log = {
    info: (_: object, line?: string) => lines.push(line ?? ''),
    error: (_: object, line?: string) => lines.push(line ?? '')
  }
  const unparsed = createUnparsedRequests({
    ...{ count, keyOf: (address: string) => address, onRefused() {}, onCut() {} },
    floods: { record: () => lines.push('flood') },
    refused: { record: (_reason: string, logInFull: () => void) => logInFull(), tick() {} },
    log: log as never
  })
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', () => unparsed.clientError(new Error('no HTTP'), socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket = connect((server.address() as { port: number }).port, '127.0.0.1')
  socket.on('error', () => {})
  let answer = ''
  socket.on('data', data => {
    answer += data
  })
  socket.write('?')
  await once(socket, 'close')
  return { answer, lines }
}

t.test('answers input that is not HTTP, and cuts an address above its rate without an answer', async t => {
  const below = await open(t, async () => false)
  t.match(below, { answer: /^HTTP\/1\.1 400 /, lines: ['request refused'] })
  t.same(await open(t, async () => true), { answer: '', lines: ['flood'] })
})

t.test('closes the socket and logs it when counting fails', async t => {
  const failed = await open(t, () => Promise.reject(new Error('no count')))
  t.same(failed, { answer: '', lines: ['refusing a request failed'] })
})
