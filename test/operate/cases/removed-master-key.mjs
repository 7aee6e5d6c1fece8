import { startObserved } from '../../helper/observed-gateway.mjs'
import { freePort, loopback, startRedisServer, until } from '../../helper/processes.mjs'
import { openRawSocket } from '../../helper/raw-client.mjs'
import { command } from '../command.mjs'
import { newSecrets, redisSettings } from '../gateways.mjs'

export const symptoms = ['records are missing from a list, or do not open']
export const title = 'a master key is removed too early: lists name what does not open, and it can be deleted'

export async function run({ check }) {
  const redis = await startRedisServer(await freePort())
  const old = redisSettings(`redis://${loopback}:${redis.port}`, newSecrets())
  const newKey = newSecrets().COUNTERSIGN_MASTER_KEY
  const under = keys => startObserved({ keptLog: 200_000, settings: { ...old, COUNTERSIGN_MASTER_KEY: keys } })

  let gateway = await under(old.COUNTERSIGN_MASTER_KEY)
  const { body: credential } = await gateway.admin('POST', '/clients', { clientId: 'game-1' })
  await gateway.admin('POST', '/clients', { clientId: 'game-2' })
  await gateway.stop()
  gateway = await under(`${newKey},${old.COUNTERSIGN_MASTER_KEY}`)
  await gateway.admin('POST', '/clients', { clientId: 'game-3' })
  // An operator who interrupts `keys reencrypt`: the store's own records come first.
  await gateway.admin('POST', '/keys/reencrypt?limit=1')
  await gateway.stop()

  gateway = await under(newKey)
  const { body: page } = await gateway.admin('GET', '/clients')
  const shown = page.items.map(({ clientId }) => clientId)
  const unreadable = page.unreadable ?? []
  check('a list names unreadable records', unreadable.includes('game-2') && shown.includes('game-3'), page)
  const listed = await command(gateway, 'clients', 'list')
  check('so does the command line', listed.code === 0 && listed.output.includes('clients delete game-'), listed)
  const line = gateway.output.log.split('\n').filter(each => each.includes('"record":"client:game-2"'))
  check('one line in the log', line.length === 1 && line[0].includes('does not open'), line)
  const { status, body } = await gateway.admin('PATCH', '/clients/game-2', { status: 'suspended' })
  check('it cannot be changed, and the message has advice', status === 409 && /delete/.test(body.message), body)

  const deleted = await command(gateway, 'clients', 'delete', 'game-2')
  check('it can be deleted', deleted.code === 0, deleted)
  const { body: audit } = await gateway.admin('GET', '/audit?limit=1000')
  const entry = audit.items.at(-1)
  check('with an audit entry', entry.action === 'client.delete' && entry.detail.wasUnreadable === true, entry)
  check('and created again', (await gateway.admin('POST', '/clients', { clientId: 'game-2' })).status === 201)
  await gateway.stop()

  gateway = await under(`${newKey},${old.COUNTERSIGN_MASTER_KEY}`)
  const again = await command(gateway, 'keys', 'reencrypt')
  check('with the old key behind the new one everything else is sealed again', again.code === 0, again)
  await gateway.stop()
  gateway = await under(newKey)
  check('nothing is unreadable', (await gateway.admin('GET', '/clients')).body.unreadable === undefined)
  const session = await until('the client of before connects', 10_000, () =>
    openRawSocket(gateway.url, credential).catch(() => undefined)
  )
  session.socket.close()
  await gateway.stop()
}
