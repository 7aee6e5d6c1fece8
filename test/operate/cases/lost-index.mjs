import { Redis } from 'ioredis'
import { freePort, loopback, startRedisServer, until } from '../../helper/processes.mjs'
import { checkRestored, startBackedUp } from '../backed-up.mjs'
import { validateAll } from '../clients.mjs'
import { command } from '../command.mjs'

export const symptoms = ['lists or backups are refused']
export const title = 'a Redis that has lost an index is called damaged; a restore brings everything back'

export async function run({ check }) {
  const redis = await startRedisServer(await freePort())
  const backedUp = await startBackedUp(`redis://${loopback}:${redis.port}`)
  const { gateway, clients } = backedUp
  const admin = new Redis(redis.port, loopback)
  check('the index was there', (await admin.del('cs:{records}@index:client')) === 1)
  const { checks } = await until('it is noticed', 20_000, async () => {
    const answer = await fetch(`${gateway.url}/readyz`)
    const body = await answer.json()
    return answer.status === 200 && body.checks.store.startsWith('damaged') ? body : undefined
  })
  check('readyz names the index', checks.store.includes('the index of its client records'), checks)
  const lines = gateway.output.log.split('\n').filter(line => line.includes('the store has lost the index'))
  check('one line has advice', lines.length === 1 && /countersign restore FILE/.test(lines[0]), lines)
  for (const args of [
    ['clients', 'list'],
    ['backup', 'incomplete.ndjson']
  ]) {
    const { code, output } = await command(gateway, ...args)
    check(`${args.join(' ')} is refused, with the reason`, code === 1 && output.includes('the store has lost'), output)
  }
  const answers = await validateAll(clients, { serviceId: 'shop', key: 'AAAA-BBBB', hwid: 'pc' })
  check(
    'clients are served meanwhile',
    answers.every(code => code === 'VALID'),
    answers
  )
  await admin.flushall()
  admin.disconnect()
  await checkRestored(check, backedUp, async () => {
    const isWhole = () => gateway.output.log.includes('the store is whole again')
    check('the log states it', await until('it is whole again', 20_000, isWhole))
  })
}
