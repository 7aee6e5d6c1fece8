import { randomInt, randomUUID } from 'node:crypto'
import { post, socketUrlOf } from './gateway.mjs'
import { configChannel } from './roles.mjs'

/** A simulated game server, to try the panel without Roblox. It does what the example place does (roblox/example/server). */

const maxTextBytes = 200
const ticketSeconds = 3600
const changeEveryMs = 4000
const names = ['Builderman', 'Noob', 'Telamon', 'Shedletsky', 'Sorcus', 'Matt', 'Erik', 'Loleris', 'Merely', 'Guest']

const nextName = () => `${names[randomInt(names.length)]}${randomInt(1000, 9999)}`

function refuse(code, message) {
  throw Object.assign(new Error(message), { code })
}

/** The gateway has checked the caller's permission. The handler checks the data. */
function textOf(data, name) {
  const text = data?.[name]
  if (typeof text !== 'string' || text === '' || Buffer.byteLength(text) > maxTextBytes)
    refuse('INVALID_DATA', `${name} is a text of 1 to ${maxTextBytes} bytes`)
  return text
}

/**
 * @param options.createClient  of the JavaScript SDK
 * @param options.gatewayUrl    http:// or https:// address of the gateway
 * @param options.game          clientId of the game servers
 * @param options.token         API token that creates their tickets
 * @param options.isStill       no players join or leave by themselves
 * @returns the client, `runs` (how often each method ran) and `close()`
 */
export function startGameServer({ createClient, gatewayUrl, game, token, placeVersion = 412, isStill = false }) {
  const startedAt = Date.now()
  const jobId = randomUUID()
  const maxPlayers = 20
  const players = new Set(Array.from({ length: isStill ? 3 : randomInt(4, 15) }, nextName))
  const runs = { kick: 0, announce: 0, state: 0, shutdown: 0 }
  const settings = {}
  let configOffset

  const client = createClient({
    url: socketUrlOf(gatewayUrl),
    credential: () => {
      const body = { clientId: game, ttl: ticketSeconds, subscribe: ['chat', configChannel], publish: ['chat'] }
      return post(new URL('/v1/tickets', gatewayUrl), token, body)
    }
  })

  // A refusal with a code is an answer; everything else is a fault of this server.
  client.on('error', ({ source, error }) => {
    if (error.code === undefined) process.stderr.write(`game server ${jobId}: ${source}: ${error.stack}\n`)
  })

  const show = () =>
    client
      .setAttributes({
        jobId,
        players: String(players.size),
        maxPlayers: String(maxPlayers),
        placeVersion: String(placeVersion),
        startedAt: String(Math.floor(startedAt / 1000)),
        ...(configOffset === undefined ? {} : { config: String(configOffset) })
      })
      .catch(() => {}) // The client repeats it in its next session.

  const handle = (method, fn) =>
    client.handle(method, (data, info) => {
      runs[method] += 1
      return fn(data, info)
    })
  handle('kick', data => {
    const player = textOf(data, 'player')
    textOf(data, 'reason')
    if (!players.delete(player)) refuse('NO_PLAYER', 'no such player on this server')
    show()
    return { players: players.size }
  })
  handle('announce', data => {
    textOf(data, 'text')
    return { players: players.size }
  })
  handle('state', () => ({ players: [...players], uptimeSeconds: Math.floor((Date.now() - startedAt) / 1000) }))
  handle('shutdown', data => {
    textOf(data, 'reason')
    setTimeout(close, 0) // The client sends this answer before it says bye.
    return { players: players.size }
  })
  client.subscribe(
    configChannel,
    ({ data, offset }) => {
      if (Number.isFinite(data?.gravity)) settings.gravity = data.gravity
      if (Number.isFinite(data?.clockTime)) settings.clockTime = data.clockTime
      configOffset = offset
      show()
    },
    { last: 1 }
  )

  const timer = isStill
    ? undefined
    : setInterval(() => {
        if (players.size > 3 && (randomInt(2) === 0 || players.size === maxPlayers))
          players.delete(players.values().next().value)
        else players.add(nextName())
        show()
      }, changeEveryMs)
  function close() {
    clearInterval(timer)
    return client.close()
  }
  client.connect()
  show()
  return { client, jobId, players, settings, runs, close }
}
