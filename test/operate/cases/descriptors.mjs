import { once } from 'node:events'
import { connect } from 'node:net'
import { startObserved } from '../../helper/observed-gateway.mjs'
import { loopback, until } from '../../helper/processes.mjs'

export const symptoms = ['no connections are left']
export const title = 'health is answered when the file descriptors are used up'

const limit = 256

function open(port) {
  return new Promise(resolve => {
    const socket = connect(port, loopback, () => resolve(socket))
    socket.on('error', () => resolve(socket))
  })
}

/** @returns {Promise<string>} the first bytes of the answer */
async function askForUpgrade(port) {
  const socket = await open(port)
  const head = [
    'GET /v1/ws HTTP/1.1',
    'host: x',
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13'
  ]
  socket.write(`${[...head, 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=='].join('\r\n')}\r\n\r\n`)
  const [answer] = await once(socket, 'data')
  socket.destroy()
  return String(answer)
}

export async function run({ check }) {
  const gateway = await startObserved({
    openFiles: limit,
    keptLog: 100_000,
    settings: { COUNTERSIGN_RATE_LIMIT: 'off', COUNTERSIGN_LOG_LEVEL: 'info' }
  })
  check('warns at the start', /the limit of open files is 256: enough for \d+ connections/.test(gateway.output.log))
  const sockets = await Promise.all(Array.from({ length: limit + 50 }, () => open(gateway.port)))
  for (const path of ['/livez', '/readyz', '/metrics']) {
    const answer = await fetch(gateway.url + path)
    check(`${path} is answered on a new connection`, answer.status === 200, `${answer.status}`)
    const text = await answer.text()
    if (path !== '/metrics') continue
    const used = Number(/^process_open_fds (\d+)/m.exec(text)?.[1])
    check('process_open_fds is near the limit', used > limit - 40 && used <= limit, `${used}`)
    check('process_max_fds is the limit', text.includes(`process_max_fds ${limit}\n`))
  }
  const refused = await fetch(`${gateway.url}/v1/bridge/challenge`, { method: 'POST' })
  check('another request is refused', refused.status === 503, `${refused.status} ${await refused.text()}`)
  const upgrade = await askForUpgrade(gateway.port)
  check('an upgrade is refused', upgrade.startsWith('HTTP/1.1 503'), upgrade)
  const admin = await fetch(`${gateway.url}/v1/admin/clients`)
  check('with the reason', /no file descriptors left/.test(await admin.text()))
  // Standard output may be read later than the answer.
  const line = await until('the line', 5000, () => gateway.output.log.includes('no file descriptors are left'))
  check('and a line in the log', line)
  for (const socket of sockets) socket.destroy()
  await until('it serves again', 5000, async () => {
    return (await fetch(`${gateway.url}/v1/bridge/challenge`, { method: 'POST' })).status === 200
  })
  check('it serves again once connections have closed', true)
  await gateway.stop()
}
