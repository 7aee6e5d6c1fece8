import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Failure } from '../../src/cli/errors.js'
import { writeAll, writeFailure, writeNewFile } from '../../src/cli/new-file.js'
import { tempDir } from '../helper/process.js'

/** Files that commands write, where others were before. */

const write = (file: string, text = 'new') => writeNewFile(file, async put => put(text))

t.test('bug: an export followed a symlink at its temporary name, and kept the mode of a file there', async t => {
  const folder = tempDir(t)
  const [file, victim] = [join(folder, 'out.csv'), join(folder, 'victim')]
  writeFileSync(victim, 'theirs')
  symlinkSync(victim, `${file}.part`)
  await write(file)
  t.equal(readFileSync(victim, 'utf8'), 'theirs')
  t.equal(readFileSync(file, 'utf8'), 'new')
  writeFileSync(`${file}.part`, 'left by an interrupted export, and longer')
  chmodSync(`${file}.part`, 0o666)
  await write(file)
  t.equal(readFileSync(file, 'utf8'), 'new')
  if (process.platform !== 'win32') t.equal(statSync(file).mode & 0o777, 0o600)
  t.same(readdirSync(folder).sort(), ['out.csv', 'victim'])
})

t.test('bug: an export put a file in the place of a device or pipe', async t => {
  const folder = tempDir(t)
  const [dir, pipe] = [join(folder, 'dir'), join(folder, 'pipe')]
  mkdirSync(dir)
  await t.rejects(write(dir), { message: `${dir} is not a file: name another one, or write to stdout` })
  if (process.platform === 'win32') return
  execFileSync('mkfifo', [pipe])
  symlinkSync(pipe, join(folder, 'link'))
  for (const each of [pipe, join(folder, 'link')]) await t.rejects(write(each), Failure, each)
  t.ok(statSync(pipe).isFIFO())
})

t.test('bug: of two exports to one file one put the unfinished file of the other in its place', async t => {
  const file = join(tempDir(t), 'out.csv')
  const first = writeNewFile(file, async put => {
    put('first')
    await writeNewFile(file, async putOther => {
      putOther('second')
      put(' is longer')
    })
    writeFileSync(`${file}.part`, 'a third one has begun')
  })
  await t.rejects(first, { message: /was replaced meanwhile/ })
  t.equal(readFileSync(file, 'utf8'), 'second')
  t.ok(existsSync(`${file}.part`), 'the file of the third one is not removed')
})

t.test('bug: a partial write to a full disk counted as complete', async t => {
  let written = ''
  const piecewise = (_handle: number, bytes: Uint8Array, offset: number) => {
    const piece = Buffer.from(bytes).subarray(offset, offset + 2)
    written += piece.toString()
    return piece.length
  }
  writeAll(0, 'seven b', piecewise)
  t.equal(written, 'seven b')
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
  t.match(writeFailure('out.csv', full), { message: 'out.csv cannot be written: its disk is full' })
  const other = new Error('the gateway is away')
  t.equal(writeFailure('out.csv', other), other)
})
