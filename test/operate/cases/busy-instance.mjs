import { connect } from 'node:net'
import { startObserved } from '../../helper/observed-gateway.mjs'
import { loopback, until } from '../../helper/processes.mjs'
import { openRawSocket, signText } from '../../helper/raw-client.mjs'
import { command } from '../command.mjs'

export const symptoms = ['somebody floods', 'requests wait', 'something is refused at a bound']
export const title = 'a flood, requests that wait and a bound that is nearly reached are shown'

const maxSessions = 10
const floodFrames = 500

function frameOf(session) {
  const message = { type: 'heartbeat', seq: session.seq++ }
  return signText(session.clientKey, JSON.stringify(message)).toString()
}

export async function run({ check }) {
  const gateway = await startObserved({
    keptLog: 400_000,
    settings: {
      ...{ COUNTERSIGN_LOG_LEVEL: 'info', COUNTERSIGN_MAX_SESSIONS: `${maxSessions}` },
      COUNTERSIGN_FRAMES_PER_SECOND: '10'
    }
  })
  const credentials = []
  for (let i = 0; i < maxSessions; i++) {
    credentials.push((await gateway.admin('POST', '/clients', { clientId: `client-${i}` })).body)
  }
  const metric = async pattern => Number((await (await fetch(`${gateway.url}/metrics`)).text()).match(pattern)?.[1])

  const sessions = []
  for (const credential of credentials.slice(0, maxSessions - 1)) {
    sessions.push(await openRawSocket(gateway.url, credential))
  }
  const nearly = await until('the line', 5000, () =>
    gateway.output.log.split('\n').find(line => line.includes('a bound is nearly reached'))
  )
  check('a bound that is nearly reached is logged', JSON.parse(nearly).name === 'sessions', nearly)
  await until('metrics are rendered again', 3000, async () => {
    return (await metric(/^countersign_bound_used\{bound="sessions"\} (\d+)/m)) === maxSessions - 1
  })
  check('metrics have its limit', (await metric(/^countersign_bound_limit\{bound="sessions"\} (\d+)/m)) === maxSessions)

  const [flooder] = sessions
  for (let i = 0; i < floodFrames; i++) flooder.socket.send(frameOf(flooder))
  const flood = await until('the line of the flood', 5000, () =>
    gateway.output.log.split('\n').find(line => line.includes('a peer is above its rate'))
  )
  check('the log names the flooding client', JSON.parse(flood).clientId === 'client-0', flood)
  await until('top names it', 5000, async () => {
    const { body } = await gateway.admin('GET', '/top')
    return body.items[0]?.sessionId === flooder.sessionId && body.items[0].counts.refused > 0
  })
  const { body: listed } = await gateway.admin('GET', '/sessions?clientId=client-0')
  check('so does the list of sessions', listed.items[0].counts.frames > sessions.length, listed.items[0])
  const closed = new Promise(resolve => flooder.socket.once('close', resolve))
  await command(gateway, 'sessions', 'end', flooder.sessionId)
  check('sessions end ends it', Math.floor((await closed) / 100) === 44)
  await command(gateway, 'clients', 'suspend', 'client-0')
  const back = await openRawSocket(gateway.url, credentials[0]).catch(() => undefined)
  check('clients suspend keeps it out', back === undefined)

  const waiting = connect(gateway.port, loopback)
  waiting.on('error', () => {})
  waiting.write('POST /v1/bridge/challenge HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n')
  await until('the oldest request shows', 10_000, async () => {
    return (await metric(/^countersign_oldest_request_seconds ([\d.]+)/m)) > 1
  })
  check('the age of the oldest request is shown', true)
  check('so is the lag of the event loop', (await metric(/^nodejs_eventloop_lag_seconds ([\d.e-]+)/m)) >= 0)
  waiting.destroy()
  for (const { socket } of sessions) socket.terminate()
  await gateway.stop()
}
