import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { maxEnvFileBytes, readEnvFile } from '../../src/config/env-file.js'
import { tempDir } from '../helper/process.js'

function write(t: Test, content: Uint8Array | string): string {
  const path = join(tempDir(t), '.env')
  writeFileSync(path, content)
  return path
}

const text = 'COUNTERSIGN_PORT=9000\nCOUNTERSIGN_HOST=::1\n'

t.test('a byte order mark does not drop the first setting', async t => {
  t.match(readEnvFile(write(t, `\ufeff${text}`)).variables, { COUNTERSIGN_PORT: '9000', COUNTERSIGN_HOST: '::1' })
  t.match(readEnvFile(write(t, text.replaceAll('\n', '\r\n'))).variables, {
    COUNTERSIGN_PORT: '9000',
    COUNTERSIGN_HOST: '::1'
  })
})

t.test('refuses UTF-16, with and without its mark', async t => {
  const little = Buffer.from(`\ufeff${text}`, 'utf16le')
  const big = Buffer.from(little).swap16()
  for (const bytes of [little, big, little.subarray(2), big.subarray(2)]) {
    t.throws(() => readEnvFile(write(t, bytes)), { name: 'ConfigError', message: /\.env: is UTF-16.+save it as UTF-8/ })
  }
})

t.test('refuses invalid UTF-8, without quoting it', async t => {
  const bytes = Buffer.concat([Buffer.from(`${text}COUNTERSIGN_ADMIN_TOKEN=hunter2`), Buffer.from([0xe9, 0x0a])])
  t.throws(() => readEnvFile(write(t, bytes)), { message: /\.env: is not valid UTF-8/ })
  t.throws(() => readEnvFile(write(t, bytes)), { message: /^(?!.*hunter2)/ })
})

t.test('refuses a file above its bound, and a folder', async t => {
  const line = 'A=1\n'
  t.match(readEnvFile(write(t, line.repeat(maxEnvFileBytes / line.length))).variables, { A: '1' })
  t.throws(() => readEnvFile(write(t, `${line.repeat(maxEnvFileBytes / line.length)}#`)), { message: /the limit is/ })
  const folder = join(tempDir(t), '.env')
  mkdirSync(folder)
  t.throws(() => readEnvFile(folder), { message: /cannot be read \(is a folder\)/ })
})

t.test('a missing file has no settings', async t => {
  t.same(readEnvFile(join(tempDir(t), '.env')), { variables: {}, faults: [] })
})

t.test('a NUL byte is not called UTF-16', async t => {
  t.throws(() => readEnvFile(write(t, 'A=1\nB=\0\n')), { message: /\.env line 2: holds a NUL byte/ })
})
