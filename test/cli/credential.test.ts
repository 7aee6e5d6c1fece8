import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { tempDir } from '../helper/process.js'
import { cli } from './io.js'

t.test('bug: a credential file that begins with a byte order mark is read', async t => {
  const file = join(tempDir(t), 'credential.json')
  const credential = { clientId: 'c', keyId: 'k', secret: 'cs_sk_wrong' }
  writeFileSync(file, `\ufeff${JSON.stringify(credential)}`)
  chmodSync(file, 0o600)
  const { err } = await cli(['connect', '--url', 'http://127.0.0.1:1', '--credential', file])
  t.match(err, /secret in .*credential\.json: the checksum does not match/, 'it is read and checked')
})
