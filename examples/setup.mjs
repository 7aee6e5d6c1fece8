// Creates a client with a credential, and a license, to try a gateway. It uses the admin API, as a backend does. Only the
// `export` line goes to stdout, so eval "$(node examples/setup.mjs)" works.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const help = `node examples/setup.mjs [--url http://127.0.0.1:8080] [--client example_client]

Creates a client and the license example_service / example_key on a running gateway (npm start), and prints the next
step. The admin token comes from ADMIN_TOKEN, else from the data folder of the gateway. A second run gives the client a
new key; the old key expires an hour later.
`
const overlapSeconds = 3600
const yearMs = 365 * 24 * 60 * 60 * 1000
const timeoutMs = 10_000

/** Ends the program with one line: what happened and what to do. */
class Stop extends Error {}

function readArgs() {
  try {
    return parseArgs({
      options: {
        url: { type: 'string', default: 'http://127.0.0.1:8080' },
        client: { type: 'string', default: 'example_client' },
        help: { type: 'boolean', short: 'h', default: false }
      }
    }).values
  } catch (error) {
    throw new Stop(`${error.message}. Try: node examples/setup.mjs --help`)
  }
}

/** Reads it from the environment, else from the file of `npm start`. */
function readAdminToken() {
  const { ADMIN_TOKEN, COUNTERSIGN_ADMIN_TOKEN, COUNTERSIGN_DATA_DIR: dataDir = 'data' } = process.env
  const given = ADMIN_TOKEN || COUNTERSIGN_ADMIN_TOKEN
  if (given) return given
  const file = [`${dataDir}/admin.token`, fileURLToPath(new URL('../data/admin.token', import.meta.url))].find(
    existsSync
  )
  if (file === undefined)
    throw new Stop('data/admin.token not found: start the gateway (npm start), or set ADMIN_TOKEN')
  return readFileSync(file, 'utf8').trim()
}

/** Calls the admin API. @returns the answer, or undefined if the resource exists already */
async function post({ url, token }, path, body) {
  let response
  try {
    response = await fetch(new URL(path, url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs)
    })
  } catch {
    throw new Stop(`${url} does not answer: is the gateway running (npm start)?`)
  }
  const answer = await response.json().catch(() => ({}))
  if (response.status === 409) return undefined
  if (response.ok) return answer
  const hint = response.status === 401 ? ' (is this the admin token of that gateway?)' : ''
  throw new Stop(`${path} was refused: ${response.status} ${answer.code ?? ''} ${answer.message ?? ''}${hint}`)
}

async function main() {
  const { url, client: clientId, help: wantsHelp } = readArgs()
  if (wantsHelp) {
    process.stdout.write(help)
    return
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new Stop(`not an http:// or https:// URL: ${url}`)
  const gateway = { url, token: readAdminToken() }
  const made = await post(gateway, '/v1/admin/clients', { clientId })
  const credential =
    made ?? (await post(gateway, `/v1/admin/clients/${clientId}/keys`, { overlap: overlapSeconds, force: true }))
  const license = await post(gateway, '/v1/admin/licenses', {
    serviceId: 'example_service',
    key: 'example_key',
    expiresAt: new Date(Date.now() + yearMs).toISOString()
  })
  const { keyId, secret } = credential
  const socketUrl = new URL('/v1/ws', url.replace(/^http/, 'ws')).href
  const urlFlag = socketUrl === 'ws://127.0.0.1:8080/v1/ws' ? '' : ` --url ${socketUrl}`

  process.stderr.write(`
  client   ${clientId}: ${made === undefined ? 'exists already, and has a new key' : 'created'}
  license  example_service / example_key: ${license === undefined ? 'exists already' : 'created, binds one hwid'}

${process.stdout.isTTY ? 'Paste this line into your shell, or into the demo page.' : 'The credential went to stdout.'} The secret is shown only once.

`)
  process.stdout.write(`export CLIENT_ID=${clientId} KEY_ID=${keyId} CLIENT_SECRET=${secret}\n`)
  process.stderr.write(`
Then

  node examples/validate.mjs --service example_service --hwid example_hwid --key example_key${urlFlag}

or open ${new URL('/demo', url).href}

`)
}

try {
  await main()
} catch (error) {
  if (!(error instanceof Stop)) throw error
  process.stderr.write(`setup: ${error.message}\n`)
  process.exitCode = 1
}
