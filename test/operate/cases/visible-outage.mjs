import { setTimeout as wait } from 'node:timers/promises'
import { startObserved } from '../../helper/observed-gateway.mjs'
import { freePort, loopback, startRedisServer, until } from '../../helper/processes.mjs'
import { redisSettings } from '../gateways.mjs'

export const symptoms = ['the store is slow', 'the store is away']
export const title = 'a slow Redis is shown before it is gone, and an outage is two lines'

/** Requests that are refused while Redis is stopped, one after the other. */
const refusedRequests = 30

export async function run({ check }) {
  const redis = await startRedisServer(await freePort())
  const gateway = await startObserved({
    keptLog: 200_000,
    settings: { ...redisSettings(`redis://${loopback}:${redis.port}`), COUNTERSIGN_RATE_LIMIT: 'off' }
  })
  const ready = async () => {
    const answer = await fetch(`${gateway.url}/readyz`)
    return { status: answer.status, body: await answer.json() }
  }
  redis.child.signal('SIGSTOP')
  const asked = ready()
  await wait(400)
  redis.child.signal('SIGCONT')
  const slow = await asked
  check('readyz calls the store slow, and stays green', slow.status === 200 && slow.body.status === 'slow', slow)
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
  const count = le =>
    Number(metrics.match(new RegExp(`duration_seconds_bucket\\{verb="SET",le="${le}"\\} (\\d+)`))?.[1])
  check('the histogram shows the slow call', count('0.5') > count('0.25'), `${count('0.25')} ${count('0.5')}`)

  redis.child.signal('SIGSTOP')
  await until('not ready', 3000, async () => (await ready()).status === 503)
  for (let i = 0; i < refusedRequests; i++) void gateway.admin('GET', '/clients').catch(() => {})
  await until('an outage has begun', 10_000, () => gateway.output.log.includes('an outage begins'))
  await wait(3000)
  redis.child.signal('SIGCONT')
  await until('the outage has ended', 20_000, () => gateway.output.log.includes('the outage has ended'))
  const lines = gateway.output.log.split('\n').filter(line => line !== '')
  const outage = lines.filter(line => /this instance(: an outage begins| again: the outage has ended)/.test(line))
  check('one line when it begins, one when it ends', outage.length === 2, outage)
  check('with counts', JSON.parse(outage[1]).refused.requests >= refusedRequests, outage[1])
  check('no stack', !gateway.output.log.includes('    at '), lines.filter(line => line.includes('    at ')).slice(0, 2))
  check('few lines', lines.length < 40, `${lines.length} lines`)
  await gateway.stop()
}
