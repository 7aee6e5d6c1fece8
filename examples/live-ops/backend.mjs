import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { post, socketUrlOf } from './gateway.mjs'
import { rolesOf } from './roles.mjs'
import { SignIn, SignInRefused } from './sign-in.mjs'

/** The backend of the panel: it serves the page, signs people in, and gives each page a ticket with the capabilities of its role. */

const ticketSeconds = 900
const maxBodyBytes = 4096
const clientFile = new URL('../../dist/web/countersign-client.js', import.meta.url)
const folder = new URL('./panel/', import.meta.url)
const types = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' }
const pageFiles = [
  'index.html',
  'panel.css',
  'favicon.svg',
  'panel.js',
  'action-dialog.js',
  'command-log.js',
  'command-view.js',
  'config-view.js',
  'elements.js',
  'outcomes.js',
  'receipts.js',
  'server-list.js',
  'server-view.js',
  'sign-in-view.js'
]

function readFiles() {
  const read = (name, url) => ({ type: `${types[name.split('.').at(-1)]}; charset=utf-8`, body: readFileSync(url) })
  const files = Object.fromEntries(pageFiles.map(name => [`/${name}`, read(name, new URL(name, folder))]))
  return { ...files, '/': files['/index.html'], '/countersign-client.js': read('countersign-client.js', clientFile) }
}

async function readJson(request) {
  let text = ''
  for await (const part of request.setEncoding('utf8')) {
    text += part
    if (text.length > maxBodyBytes) throw new SignInRefused(413, 'the request is too large')
  }
  try {
    return JSON.parse(text) ?? {}
  } catch {
    throw new SignInRefused(400, 'the request is not JSON')
  }
}

/**
 * @param options.gatewayUrl   http:// or https:// address of the gateway
 * @param options.game         clientId of the game servers
 * @param options.tokens       API tokens of the roles, `{ moderator, owner }`; roles.mjs lists their capabilities
 * @param options.accounts     who may sign in, see sign-in.mjs
 * @param options.port         0 picks a free one
 * @param options.origin       where browsers find the page, such as `https://ops.example`. Default: this machine
 * @returns {Promise<{ url: string, close(): Promise<void> }>}
 */
export async function startBackend({ gatewayUrl, game, tokens, accounts, port, origin }) {
  const files = readFiles()
  const signIn = new SignIn(accounts, origin?.startsWith('https:') ?? false)
  const roles = rolesOf(game)
  const socketUrl = socketUrlOf(gatewayUrl)
  const headers = {
    'cache-control': 'no-store',
    'content-security-policy': [
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'",
      `connect-src 'self' ${new URL(socketUrl).origin}`,
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ].join('; '),
    'cross-origin-opener-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff'
  }
  let origins = []

  async function ticket(person) {
    const { call, subscribe, presence, publish } = roles[person.role]
    const clientId = `${person.role}-${person.name}`
    const body = { clientId, ttl: ticketSeconds, call, subscribe, presence, publish, attributes: { role: person.role } }
    const credential = await post(new URL('/v1/tickets', gatewayUrl), tokens[person.role], body)
    return { ...credential, url: socketUrl, game, name: person.name, role: person.role, may: { call, publish } }
  }

  /** Each request that changes something comes from the page itself, which CSRF cannot fake. */
  async function change(request, response) {
    if (!origins.includes(request.headers.origin)) throw new SignInRefused(403, 'only from the page itself')
    if (request.url === '/sign-in') {
      const { name, password } = await readJson(request)
      return response.writeHead(204, { ...headers, 'set-cookie': signIn.enter(name, password) }).end()
    }
    if (request.url === '/sign-out') {
      return response.writeHead(204, { ...headers, 'set-cookie': signIn.leave(request) }).end()
    }
    if (request.url !== '/ticket') throw new SignInRefused(404, 'not here')
    const person = signIn.find(request)
    if (person === undefined) throw new SignInRefused(401, 'sign in')
    const answer = JSON.stringify(await ticket(person))
    response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end(answer)
  }

  const server = createServer(async (request, response) => {
    try {
      // Refuse other host names, against DNS rebinding.
      if (!origins.some(each => new URL(each).host === request.headers.host)) throw new SignInRefused(403, 'not here')
      if (request.method === 'POST') return await change(request, response)
      const file = Object.hasOwn(files, request.url) ? files[request.url] : undefined
      if (file === undefined || request.method !== 'GET') throw new SignInRefused(404, 'not here')
      response.writeHead(200, { ...headers, 'content-type': file.type }).end(file.body)
    } catch (error) {
      const status = error instanceof SignInRefused ? error.status : 502
      response.writeHead(status, { ...headers, 'content-type': 'text/plain' }).end(error.message)
    }
  })
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const { port: actual } = server.address()
  origins = origin === undefined ? [`http://127.0.0.1:${actual}`, `http://localhost:${actual}`] : [origin]
  return {
    url: origins[0],
    close() {
      server.closeAllConnections()
      return new Promise(resolve => server.close(resolve))
    }
  }
}
