import { spawn, spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readEnvFile } from '../../src/config/env-file.js'
import { readBoundedFile } from '../../src/config/read-file.js'
import { readSettingFiles } from '../../src/config/secret-files.js'

const dir = mkdtempSync(join(tmpdir(), 'countersign-pipes-'))
t.teardown(() => rmSync(dir, { recursive: true }))
const shortMs = 50

function pipe(name: string): string {
  const path = join(dir, name)
  spawnSync('mkfifo', [path])
  return path
}

/** A process that waits until the pipe has a reader, writes, and closes it. */
function write(t: Test, text: string, path: string): void {
  const writer = spawn('sh', ['-c', 'printf "$0" > "$1"', text, path])
  t.teardown(() => writer.kill())
}

t.test('reads at most the limit of a file', async t => {
  const path = join(dir, 'file')
  writeFileSync(path, 'abcdef')
  t.equal(readBoundedFile(path, 100).toString(), 'abcdef')
  t.equal(readBoundedFile(path, 3).toString(), 'abc')
  t.throws(() => readBoundedFile(dir, 3), { message: 'is a folder' })
  t.throws(() => readBoundedFile(join(dir, 'missing'), 3), { code: 'ENOENT' })
})

t.test('bug: a pipe without a writer blocked the start', async t => {
  const path = pipe('silent')
  t.throws(() => readBoundedFile(path, 3, shortMs), { message: 'is a pipe that nobody wrote to within 0.05 s' })
  const writer = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.teardown(() => closeSync(writer))
  t.throws(() => readBoundedFile(path, 3, shortMs), { message: 'is a pipe that nobody wrote to within 0.05 s' })
  writeSync(writer, 'a')
  t.throws(() => readBoundedFile(path, 3, shortMs), { message: 'is a pipe that nobody closed within 0.05 s' })
  writeSync(writer, 'abcdef')
  t.equal(readBoundedFile(path, 3, shortMs).toString(), 'abc', 'the limit ends the reading of an open pipe')
  t.throws(() => readEnvFile(pipe('.env'), shortMs), { message: /cannot be read \(is a pipe that nobody wrote to/ })
})

t.test('a pipe with a writer is read to its end', async t => {
  const path = pipe('written')
  write(t, 'secret', path)
  t.equal(readBoundedFile(path, 100).toString(), 'secret')
  write(t, 'secret', path)
  t.match(readSettingFiles({ COUNTERSIGN_ADMIN_TOKEN_FILE: path }), { texts: { COUNTERSIGN_ADMIN_TOKEN: 'secret' } })
  write(t, 'A=1', path)
  t.match(readEnvFile(path), { variables: { A: '1' } })
})

t.test('the standard input and the process substitution of a shell are read', async t => {
  const script = `
    import { readBoundedFile } from '${new URL('../../src/config/read-file.ts', import.meta.url)}'
    process.stdout.write(readBoundedFile(process.argv[1], 100))`
  const node = `"${process.execPath}" --import=tsx --input-type=module -e "$0"`
  const cases = [
    ['standard input', `printf secret | ${node} /dev/stdin`],
    ['process substitution', `${node} <(printf secret)`]
  ] as const
  for (const [name, command] of cases) {
    const { stdout, stderr } = spawnSync('bash', ['-c', command, script], { encoding: 'utf8' })
    t.equal(stdout, 'secret', name + stderr)
  }
})
