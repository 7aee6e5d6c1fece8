import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import WebSocket from 'ws'
import { readCertificate } from '../../src/config/certificate.js'
import { run, tempDir } from '../helper/process.js'
import { writeTlsFiles } from '../helper/tls-files.js'
import { until } from '../helper/until.js'
import { certificate, privateKey } from '../http/certificate.js'

/** The name of the authority that signed what a port shows. */
async function issuerAt(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { issuer } = socket.getPeerCertificate()
  socket.destroy()
  return String(issuer.CN)
}

t.test('bug: SIGHUP and SIGUSR2 stopped the gateway', { timeout: 60_000 }, async t => {
  const dir = tempDir(t)
  const { cert, key } = writeTlsFiles(dir)
  const [signed, signedKey] = [readFileSync(cert), readFileSync(key)]
  const env = join(dir, '.env')
  writeFileSync(env, 'COUNTERSIGN_LOG_LEVEL=warn\n')
  const settings = { COUNTERSIGN_PORT: '0', COUNTERSIGN_TLS_CERT: cert, COUNTERSIGN_TLS_KEY: key }
  const program = run(t, ['serve'], settings, dir)
  await until('it listens', () => program.stderr().includes('listening on https'))
  const port = Number(/listening on https:\/\/[^:]+:(\d+)/.exec(program.stderr())?.[1])
  const socket = new WebSocket(`wss://127.0.0.1:${port}/v1/ws`, { rejectUnauthorized: false })
  await once(socket, 'open')
  t.equal(await issuerAt(port), 'test-authority')

  writeFileSync(cert, certificate)
  writeFileSync(key, privateKey)
  writeFileSync(env, 'COUNTERSIGN_LOG_LEVEL=debug\n')
  program.child.kill('SIGHUP')
  await until('the level was changed', () => program.stdout().includes('the log level was changed'))
  t.match(program.stdout(), /"previous":"warn","level":"debug"/)
  t.equal(await issuerAt(port), 'localhost', 'the new certificate')

  writeFileSync(key, signedKey)
  program.child.kill('SIGHUP')
  await until('the pair was refused', () => program.stdout().includes('the old certificate stays'))
  t.equal(await issuerAt(port), 'localhost', 'a key of another certificate leaves the old pair')
  writeFileSync(cert, signed)
  writeFileSync(env, 'COUNTERSIGN_LOG_LEVEL=loud\n')
  program.child.kill('SIGHUP')
  await until('the level was refused', () => program.stdout().includes('the log level stays'))
  t.equal(await issuerAt(port), 'test-authority')

  writeFileSync(env, '# a comment\nCOUNTERSIGN_LOG_LEVEL info\nTOKEN: hunter2\n')
  program.child.kill('SIGHUP')
  await until('bug: a broken line of .env was not named', () => program.stdout().includes('correct these lines'))
  t.match(
    program.stdout(),
    /"faults":\["\.env line 2: COUNTERSIGN_LOG_LEVEL: the line is not NAME=value","\.env line 3: the line is not NAME=value"\]/
  )
  t.notMatch(program.stdout(), /hunter2/)

  program.child.kill('SIGUSR2')
  await until('SIGUSR2 is ignored', () => program.stdout().includes('SIGUSR2 is ignored'))
  t.equal(socket.readyState, WebSocket.OPEN, 'no connection was dropped')
  socket.terminate()
  program.child.kill('SIGTERM')
  t.match(await program.ended, { code: 0 })
})

t.test('bug: a certificate in a pipe that nobody writes to kept the gateway from starting, in silence', async t => {
  const dir = tempDir(t)
  const { cert, key } = writeTlsFiles(dir)
  const pipe = join(dir, 'pipe.pem')
  execFileSync('mkfifo', [pipe])
  const files = { certFile: pipe, keyFile: key }
  t.throws(() => readCertificate(files, 1), { message: `${pipe} is a pipe that nobody wrote to within 0.001 s` })
  t.match(readCertificate({ certFile: cert, keyFile: key }), { cert: /BEGIN CERTIFICATE/, key: /BEGIN PRIVATE KEY/ })
})
