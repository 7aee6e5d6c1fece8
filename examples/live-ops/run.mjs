// Starts everything for a try, on this machine: a gateway, the backend of the panel and some simulated game servers.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startBackend } from './backend.mjs'
import { startConfigRefresher } from './config-refresher.mjs'
import { startGameServer } from './game-server.mjs'
import { post } from './gateway.mjs'
import { configChannel, rolesOf, tokensOf } from './roles.mjs'

const help = `node examples/live-ops/run.mjs [--servers 3] [--still] [--game game] [--port 8090] [--gateway-port 8080]

Starts a gateway, the live-ops panel and simulated game servers, until Ctrl-C, and prints links that sign you in.
--servers 0 --game roblox-example waits for the example place (roblox/example) in Roblox Studio instead.
--still keeps the players of the simulated servers where they are. The ports 0 pick free ones.
`
const historySeconds = 86_400
const stopMs = 20_000
const command = fileURLToPath(new URL('../../bin/countersign.mjs', import.meta.url))

function readArgs() {
  try {
    return parseArgs({
      options: {
        servers: { type: 'string', default: '3' },
        still: { type: 'boolean', default: false },
        game: { type: 'string', default: 'game' },
        port: { type: 'string', default: '8090' },
        'gateway-port': { type: 'string', default: '8080' },
        help: { type: 'boolean', short: 'h', default: false }
      }
    }).values
  } catch (error) {
    process.stderr.write(`live-ops: ${error.message}. Try --help\n`)
    process.exit(1)
  }
}

/** Starts a gateway with an empty store. It keeps who is in the channel `config`, and publications for a day. */
async function startGateway(port) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-live-ops-'))
  const settings = ['--presence', configChannel, '--history-seconds', String(historySeconds), '--log-level', 'warn']
  // The settings of another gateway on this machine are not those of this one.
  const isForeign = name => name.startsWith('COUNTERSIGN_') && name !== 'COUNTERSIGN_RATE_LIMIT'
  const child = spawn(process.execPath, [command, 'serve', '--port', port, '--data-dir', folder, ...settings], {
    cwd: folder,
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !isForeign(name))),
    stdio: ['ignore', 'ignore', 'pipe']
  })
  process.once('exit', () => child.kill('SIGKILL'))
  let output = ''
  let url
  for await (const line of createInterface({ input: child.stderr })) {
    output += `${line}\n`
    url = /listening on (\S+)/.exec(line)?.[1]
    if (url !== undefined) break
  }
  if (url === undefined) throw new Error(`the gateway did not start:\n${output}`)
  child.stderr.resume()
  const adminToken = readFileSync(join(folder, 'admin.token'), 'utf8').trim()
  return {
    url,
    admin: (path, body) => post(new URL(`/v1/admin/${path}`, url), adminToken, body),
    async close() {
      if (child.exitCode === null && child.kill('SIGTERM')) {
        const timer = setTimeout(() => child.kill('SIGKILL'), stopMs)
        await once(child, 'exit')
        clearTimeout(timer)
      }
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

async function createTokens(gateway, game) {
  const made = Object.entries(tokensOf(game)).map(async ([holder, body]) => [
    holder,
    (await gateway.admin('tokens', body)).token
  ])
  return Object.fromEntries(await Promise.all(made))
}

async function start({ servers, still: isStill, game, port, 'gateway-port': gatewayPort }, opened) {
  const gateway = await startGateway(gatewayPort)
  opened.push(gateway)
  // The gateway has built it, if it was missing.
  const { createClient } = await import('../../dist/client/node.js')
  const gatewayUrl = gateway.url
  const tokens = await createTokens(gateway, game)
  const bot = await gateway.admin('clients', { clientId: 'bot', call: rolesOf(game).moderator.call })
  const accounts = [
    { name: 'mia', role: 'moderator', password: randomBytes(9).toString('base64url') },
    { name: 'otto', role: 'owner', password: randomBytes(9).toString('base64url') }
  ]
  const backend = await startBackend({ gatewayUrl, game, tokens, accounts, port: Number(port) })
  opened.push(backend)
  const refreshMs = (historySeconds * 1000) / 2
  opened.push(startConfigRefresher({ createClient, gatewayUrl, token: tokens.config, refreshMs }))
  for (let number = 0; number < Number(servers); number++)
    opened.push(startGameServer({ createClient, gatewayUrl, game, token: tokens.game, isStill }))

  const links = accounts.map(
    ({ name, role, password }) => `  ${role.padEnd(9)}  ${backend.url}/#${name}:${password}   (${name})`
  )
  process.stdout.write(`
${links.join('\n')}
  gateway    ${gatewayUrl}
  token      ${tokens.game}   (for a real place)
  bot        export CLIENT_ID=bot KEY_ID=${bot.keyId} CLIENT_SECRET=${bot.secret}

${servers} simulated game servers. Open a link, and the other one in a private window. Ctrl-C ends everything.
`)
}

async function main() {
  const args = readArgs()
  if (args.help) {
    process.stdout.write(help)
    return
  }
  if (!existsSync(new URL('../../node_modules', import.meta.url))) throw new Error('run npm ci first')
  const opened = []
  let isEnding = false
  async function end(code) {
    if (isEnding) return
    isEnding = true
    for (const part of opened.reverse()) await part.close()
    process.exit(code)
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void end(0))
  try {
    await start(args, opened)
  } catch (error) {
    process.stderr.write(`live-ops: ${error.message}\n`)
    await end(1)
  }
}

await main()
