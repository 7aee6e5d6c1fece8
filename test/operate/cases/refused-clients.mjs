import { startObserved } from '../../helper/observed-gateway.mjs'
import { until } from '../../helper/processes.mjs'
import { openRawSocket } from '../../helper/raw-client.mjs'
import { command } from '../command.mjs'

export const symptoms = ['a client cannot connect']
export const title = 'the log has the reason of each failed handshake, and what the table advises helps'

async function connects(gateway, credential) {
  try {
    const { socket } = await openRawSocket(gateway.url, credential)
    socket.close()
    return true
  } catch {
    return false
  }
}

export async function run({ check }) {
  const gateway = await startObserved({ keptLog: 200_000, settings: { COUNTERSIGN_LOG_LEVEL: 'info' } })
  const create = async clientId => (await gateway.admin('POST', '/clients', { clientId })).body
  const failures = () =>
    gateway.output.log
      .split('\n')
      .filter(line => line.includes('authentication failed'))
      .map(line => JSON.parse(line))
  const reasonOf = async credential => {
    const before = failures().length
    check(`${credential.clientId} is refused`, !(await connects(gateway, credential)))
    return until('its line', 5000, () => failures()[before])
  }

  const game = await create('game')
  const suspended = await create('suspended')
  await command(gateway, 'clients', 'suspend', 'suspended')
  const revoked = await create('revoked')
  await command(gateway, 'keys', 'revoke', 'revoked', revoked.keyId)
  const cases = [
    [{ ...game, secret: `${game.secret}x` }, 'wrong secret'],
    [{ ...game, clientId: 'nobody' }, 'unknown client'],
    [{ ...game, keyId: 'key_none' }, 'unknown key'],
    [suspended, 'suspended'],
    [revoked, 'revoked']
  ]
  for (const [credential, reason] of cases) {
    const line = await reasonOf(credential)
    const { clientId, keyId } = credential
    const named = line.clientId === clientId && line.keyId === keyId && line.remoteAddress === '127.0.0.1'
    check(`the log names ${reason}`, line.reason === reason && named, line)
  }
  check('no secret is in the log', !gateway.output.log.includes(game.secret))
  await command(gateway, 'clients', 'resume', 'suspended')
  check('after clients resume it connects', await connects(gateway, suspended))
  const { body: key } = await gateway.admin('POST', '/clients/revoked/keys', { overlap: 0 })
  check('with a new key it connects', await connects(gateway, key))
  await gateway.stop()
}
