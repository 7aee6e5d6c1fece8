// The backend of a web page for the example place (roblox/example): a chat with all game servers, and settings of the running
// game. It holds the API token and gives each page a ticket that is valid for an hour.
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const help = `node examples/roblox-panel.mjs [--url http://127.0.0.1:8080] [--port 8090] [--no-token]

Serves the page on this machine, for the gateway at --url (npm start), and creates an API token for the example place,
unless --no-token is given. The admin token comes from ADMIN_TOKEN, else from the data folder of the gateway.
`
const host = '127.0.0.1'
const ticketSeconds = 3600
const timeoutMs = 10_000
const clientFile = fileURLToPath(new URL('../dist/web/countersign-client.js', import.meta.url))
const folder = new URL('./roblox-panel/', import.meta.url)

/** Ends the program with one line: what happened and what to do. */
class Stop extends Error {}

function readArgs() {
  try {
    return parseArgs({
      options: {
        url: { type: 'string', default: 'http://127.0.0.1:8080' },
        port: { type: 'string', default: '8090' },
        'no-token': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false }
      }
    }).values
  } catch (error) {
    throw new Stop(`${error.message}. Try --help`)
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

async function post(url, token, body) {
  let response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs)
    })
  } catch {
    throw new Stop(`${url} does not answer: is the gateway running (npm start)?`)
  }
  const answer = await response.json().catch(() => ({}))
  if (!response.ok) throw new Stop(`${url} refused: ${response.status} ${answer.code ?? ''} ${answer.message ?? ''}`)
  return answer
}

/** Creates tokens for the page and for the game, each with only the permissions that it needs. */
async function makeTokens(url, forGame) {
  const admin = readAdminToken()
  const make = body => post(new URL('/v1/admin/tokens', url), admin, { scopes: ['tickets'], ...body })
  const page = await make({
    name: 'example panel',
    clients: ['panel-*'],
    subscribe: ['chat', 'config'],
    publish: ['chat', 'config'],
    expiresAt: new Date(Date.now() + 24 * ticketSeconds * 1000).toISOString()
  })
  const game = forGame
    ? await make({
        name: 'example place',
        clients: ['roblox-example'],
        subscribe: ['chat', 'config'],
        publish: ['chat']
      })
    : undefined
  return { page: page.token, game: game?.token }
}

async function main() {
  const { url, port, 'no-token': noToken, help: wantsHelp } = readArgs()
  if (wantsHelp) {
    process.stdout.write(help)
    return
  }
  if (!existsSync(clientFile))
    throw new Stop('dist/ not found: run npm run build, or start the gateway once (npm start)')
  const tokens = await makeTokens(url, !noToken)
  const socketUrl = new URL('/v1/ws', url.replace(/^http/, 'ws')).href
  const files = {
    '/': { type: 'text/html; charset=utf-8', body: readFileSync(new URL('index.html', folder)) },
    '/panel.js': { type: 'text/javascript; charset=utf-8', body: readFileSync(new URL('panel.js', folder)) },
    '/countersign-client.js': { type: 'text/javascript; charset=utf-8', body: readFileSync(clientFile) }
  }

  let pages = 0
  const server = createServer(async (request, response) => {
    const answer = (status, type, body) =>
      response
        .writeHead(status, {
          'content-type': type,
          'cache-control': 'no-store',
          'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self' ${new URL(socketUrl).origin}`
        })
        .end(body)
    // Refuse other host names, against DNS rebinding.
    const name = new URL(`http://${request.headers.host ?? ''}`).hostname
    if (name !== host && name !== 'localhost') return answer(403, 'text/plain', 'only from this machine')
    const file = Object.hasOwn(files, request.url) ? files[request.url] : undefined
    if (file !== undefined) return answer(200, file.type, file.body)
    if (request.url !== '/ticket') return answer(404, 'text/plain', 'not here')
    try {
      const ticket = await post(new URL('/v1/tickets', url), tokens.page, {
        clientId: `panel-${++pages}`,
        ttl: ticketSeconds,
        subscribe: ['chat', 'config'],
        publish: ['chat', 'config']
      })
      answer(200, 'application/json', JSON.stringify({ url: socketUrl, ...ticket }))
    } catch (error) {
      answer(502, 'text/plain', String(error.message))
    }
  })
  server.once('error', error => {
    process.stderr.write(`roblox-panel: ${error.message}\n`)
    process.exitCode = 1
  })
  server.listen(Number(port), host, () => {
    process.stdout.write(`\n  page   http://${host}:${server.address().port}\n`)
    if (tokens.game !== undefined)
      process.stdout.write(
        `  token  ${tokens.game}\n\nPut the token into Studio's Local Secrets: name countersign, domain localhost. It is shown only once.\n`
      )
  })
}

try {
  await main()
} catch (error) {
  if (!(error instanceof Stop)) throw error
  process.stderr.write(`roblox-panel: ${error.message}\n`)
  process.exitCode = 1
}
