import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { Descriptors, readDescriptorLimit, reservedDescriptors } from '../../src/http/descriptors.js'

let port = 0
function fakeSocket(): Socket & { isDestroyed: boolean } {
  const socket = Object.assign(new EventEmitter(), {
    ...{ remoteAddress: '::1', remotePort: ++port, localPort: 1, isDestroyed: false },
    destroy() {
      socket.isDestroyed = true
      socket.emit('close')
    }
  })
  return socket as unknown as Socket & { isDestroyed: boolean }
}

t.test('the last descriptors are for health checks', async t => {
  const descriptors = new Descriptors(200, async () => 20)
  await descriptors.sample()
  t.equal(descriptors.maxSockets, 200 - 20 - reservedDescriptors)
  const sockets = Array.from({ length: descriptors.maxSockets }, fakeSocket)
  for (const socket of sockets) descriptors.add(socket)
  t.notOk(sockets.some(socket => descriptors.isReserved(socket)))
  const late = Array.from({ length: reservedDescriptors / 2 + 1 }, fakeSocket)
  for (const socket of late) descriptors.add(socket)
  t.ok(late[0]?.isDestroyed, 'at the bound the oldest one makes room')
  t.ok(late.slice(1).every(socket => descriptors.isReserved(socket) && !socket.isDestroyed))
  t.equal(descriptors.used, 200 - reservedDescriptors / 2)
  for (const socket of sockets) socket.destroy()
  const next = fakeSocket()
  descriptors.add(next)
  t.notOk(descriptors.isReserved(next), 'places are free again')
})

t.test('keeps its last count when the system does not let it count', async t => {
  const descriptors = new Descriptors(100, () => Promise.reject(new Error('EMFILE')))
  await descriptors.sample()
  descriptors.add(fakeSocket())
  t.equal(descriptors.used, 1)
  t.ok((readDescriptorLimit() ?? 1) > 0)
})
