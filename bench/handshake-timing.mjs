// Before a session there is one answer and one timing for every reason (PROTOCOL §4). This measures it: many handshakes
// of each kind, interleaved in random order against one gateway, the time from the authenticate to its refusal, and for
// each kind how far its median lies from that of its group, beside the spread of the medians of random halves of one kind:
// what chance alone does. With and without keyId are two groups: who asks knows which it is, and four keys are tried
// instead of one. A verdict needs a human: the machine is noisy, and this prints what it saw.
//
//   npm run build && node bench/handshake-timing.mjs [rounds]
import { spawn } from 'node:child_process'
import { createHmac, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import WebSocket from 'ws'
import { removeFolder } from '../test/helper/remove-folder.mjs'

const rounds = Number(process.argv[2] ?? 400)
const root = fileURLToPath(new URL('..', import.meta.url))
const dataDir = mkdtempSync(join(tmpdir(), 'countersign-bench-'))

const gateway = spawn(process.execPath, [`${root}bin/countersign.mjs`, 'serve'], {
  env: {
    PATH: process.env.PATH,
    COUNTERSIGN_PORT: '0',
    COUNTERSIGN_DATA_DIR: dataDir,
    COUNTERSIGN_RATE_LIMIT: 'off',
    COUNTERSIGN_LOG_LEVEL: 'silent'
  },
  stdio: ['ignore', 'ignore', 'pipe']
})
let output = ''
while (!/listening on (\S+)/.test(output)) output += (await once(gateway.stderr, 'data'))[0]
const url = /listening on (\S+)/.exec(output)[1]
const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()

async function admin(method, path, body) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const answer = await fetch(`${url}/v1/admin${path}`, { method, headers, body: body && JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`)
  return answer.status === 204 ? undefined : answer.json()
}

const hmac = (key, text) => createHmac('sha256', key).update(text)

/** An authenticate frame with a proof of its own making. */
function frame({ clientId, keyId, secret }, challengeToken, spoil = message => message) {
  const clientNonce = randomBytes(24).toString('base64url')
  const clientKey = hmac(secret, `countersign.v1:client:${challengeToken}:${clientNonce}`).digest()
  const body = JSON.stringify(
    spoil({
      ...{ type: 'authenticate', seq: 1, protocol: 'countersign.v1', clientId, ...(keyId ? { keyId } : {}) },
      ...{ challengeToken, challengeSignature: hmac(secret, challengeToken).digest('hex'), clientNonce }
    })
  )
  return `${body.slice(0, -1)},"signature":"${hmac(clientKey, body).digest('hex')}"}`
}

/** Milliseconds from the authenticate to its refusal. */
async function refusal(make) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`)
  const [challenge] = await once(socket, 'message')
  const text = make(JSON.parse(String(challenge)).challengeToken)
  const began = performance.now()
  socket.send(text)
  const [answer] = await once(socket, 'message')
  const elapsedMs = performance.now() - began
  if (!String(answer).includes('AUTHENTICATION_FAILED')) throw new Error(`not refused: ${answer}`)
  socket.terminate()
  return elapsedMs
}

const good = await admin('POST', '/clients', { clientId: 'honest' })
const revoked = await admin('POST', '/clients', { clientId: 'revoked' })
await admin('DELETE', `/clients/revoked/keys/${revoked.keyId}`)
const suspended = await admin('POST', '/clients', { clientId: 'suspended' })
await admin('PATCH', '/clients/suspended', { status: 'suspended' })
const wrong = { secret: good.secret.replace(/.$/, '!') }

const kinds = {
  'wrong secret': t => frame({ ...good, ...wrong }, t),
  'unknown client': t => frame({ ...good, clientId: 'nobody' }, t),
  'unknown key': t => frame({ ...good, keyId: 'key_none' }, t),
  'revoked key': t => frame(revoked, t),
  'suspended client': t => frame(suspended, t),
  'wrong challengeSignature': t => frame(good, t, m => ({ ...m, challengeSignature: '0'.repeat(64) })),
  'unknown challenge': () => frame(good, randomBytes(32).toString('base64url')),
  'wrong secret, no keyId': t => frame({ ...good, ...wrong, keyId: undefined }, t),
  'unknown client, no keyId': t => frame({ ...good, clientId: 'nobody', keyId: undefined }, t)
}

const median = list => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]
const shuffled = list =>
  list
    .map(each => [Math.random(), each])
    .sort(([a], [b]) => a - b)
    .map(([, each]) => each)

const times = Object.fromEntries(Object.keys(kinds).map(kind => [kind, []]))
try {
  for (let i = 0; i < rounds + 20; i++) {
    for (const kind of shuffled(Object.keys(kinds))) {
      const elapsedMs = await refusal(kinds[kind])
      if (i >= 20) times[kind].push(elapsedMs)
    }
    if (i % 20 === 0) process.stderr.write(`\r${Math.min(100, Math.round((100 * i) / rounds))} %`)
  }
} finally {
  gateway.kill('SIGKILL')
  removeFolder(dataDir)
}
process.stderr.write('\r')

const groupOf = kind => (kind.endsWith('no keyId') ? 'without keyId' : 'with keyId')
const groups = new Map()
for (const [kind, list] of Object.entries(times)) {
  groups.set(groupOf(kind), [...(groups.get(groupOf(kind)) ?? []), ...list])
}
const chance = Array.from({ length: 500 }, () => {
  const list = shuffled(Object.values(times)[randomInt(Object.keys(kinds).length)])
  return Math.abs(median(list.slice(0, list.length / 2)) - median(list.slice(list.length / 2)))
}).sort((a, b) => a - b)

console.log(`${rounds} handshakes of each kind, interleaved`)
console.log(`by chance, halves of one kind differ by ${(chance[475] * 1000).toFixed(0)} µs at most in 95 of 100\n`)
console.log('| refused for | median µs | from its group µs |\n|---|---|---|')
for (const [kind, list] of Object.entries(times)) {
  const own = median(list)
  console.log(
    `| ${kind} | ${(own * 1000).toFixed(0)} | ${((own - median(groups.get(groupOf(kind)))) * 1000).toFixed(0)} |`
  )
}
