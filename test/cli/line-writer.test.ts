import { Writable } from 'node:stream'
import t from 'tap'
import type { Io } from '../../src/cli/command.js'
import { LineWriter, maxWaitingLines } from '../../src/cli/line-writer.js'

const ioOf = (stdout: Writable) => ({ stdout }) as unknown as Io

t.test('writes lines in order, and is done when they are written', async t => {
  let text = ''
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      setImmediate(done)
    }
  })
  const lines = new LineWriter(ioOf(stdout))
  for (const line of ['a', 'b', 'c']) lines.print(line)
  await lines.done
  t.equal(text, 'a\nb\nc\n')
})

t.test('fails when its reader leaves too many lines, or has gone', async t => {
  const stuck = new LineWriter(ioOf(new Writable({ write() {} })))
  for (let i = 0; i < maxWaitingLines; i++) stuck.print('x')
  const isFailed = Symbol('failed')
  t.not(await Promise.race([stuck.failed.catch(() => isFailed), Promise.resolve()]), isFailed, 'as many as allowed')
  stuck.print('x')
  await t.rejects(stuck.failed, /stdout is read too slowly/)

  const closed = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) })
  closed.on('error', () => {})
  const gone = new LineWriter(ioOf(closed))
  gone.print('x')
  await t.rejects(gone.failed, /EPIPE/)
})
