import { execFileSync } from 'node:child_process'
import { constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createLogDestination } from '../../src/log/log-destination.js'
import { until } from '../helper/until.js'

t.test('bug: unread log lines filled the memory', async t => {
  const path = join(t.testdir(), 'pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const reports: number[] = []
  const maxBytes = 256 * 1024
  const destination = createLogDestination(fd, dropped => reports.push(dropped), maxBytes)
  const line = `${'x'.repeat(1023)}\n`
  for (let i = 0; i < 1000; i++) destination.write(line)
  t.equal(destination.droppedLines, 1000 - maxBytes / line.length)
  t.same(reports, [], 'nothing is reported while nobody reads')

  const bytes = Buffer.alloc(64 * 1024)
  let read = 0
  await until('the reader has caught up', () => {
    try {
      read += readSync(fd, bytes)
    } catch {
      // The pipe is empty for the moment.
    }
    return reports.length > 0
  })
  t.same(reports, [destination.droppedLines], 'one report')
  destination.write(line)
  t.equal(destination.droppedLines, reports[0], 'lines are written again')
  destination.flushSync()
  t.equal(read % line.length, 0, 'lines are dropped whole')
  // The pipe is not closed: the destination may still be writing to it.
})

t.test('lines of processes that share a pipe stay whole', async t => {
  const path = join(t.testdir(), 'pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const writers = ['a', 'b'].map(letter => ({ letter, to: createLogDestination(fd, () => {}, 1024 * 1024, true) }))
  const count = 400
  for (let i = 0; i < count; i++) {
    for (const { letter, to } of writers) to.write(`${letter.repeat(100 + ((i * 37) % 1500))}\n`)
  }
  const bytes = Buffer.alloc(5000)
  let text = ''
  await until('all has been read', () => {
    try {
      text += bytes.toString('latin1', 0, readSync(fd, bytes))
    } catch {
      // The pipe is empty for the moment.
    }
    return text.split('\n').length > 2 * count
  })
  for (const line of text.split('\n')) if (!/^(a*|b*)$/.test(line)) t.fail(`a broken line: ${line.slice(0, 20)}`)
})
