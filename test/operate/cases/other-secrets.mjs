import { startObserved } from '../../helper/observed-gateway.mjs'
import { freePort, loopback, startRedisServer, until } from '../../helper/processes.mjs'
import { newSecrets, redisSettings } from '../gateways.mjs'

export const symptoms = ['calls succeed on some instances only']
export const title = 'instances with different admin tokens or master keys log it once each'

/** Above the time between two looks, which is 10 s, twice. */
const noticedMs = 25_000

export async function run({ check }) {
  const redis = await startRedisServer(await freePort())
  const settings = redisSettings(`redis://${loopback}:${redis.port}`, newSecrets())
  const other = newSecrets()
  const masterKeys = `${settings.COUNTERSIGN_MASTER_KEY},${other.COUNTERSIGN_MASTER_KEY}`
  const gateways = [
    await startObserved({ keptLog: 100_000, settings }),
    await startObserved({ keptLog: 100_000, settings: { ...settings, ...other, COUNTERSIGN_MASTER_KEY: masterKeys } })
  ]
  const linesOf = ({ output }, text) => output.log.split('\n').filter(line => line.includes(text)).length
  for (const [i, gateway] of gateways.entries()) {
    const named = { 'another admin token': 'COUNTERSIGN_ADMIN_TOKEN', 'other master keys': 'COUNTERSIGN_MASTER_KEY' }
    for (const [what, setting] of Object.entries(named)) {
      await until(
        `instance ${i} notices ${what}`,
        noticedMs,
        () => linesOf(gateway, `other instances have ${what}`) > 0
      )
      check(`instance ${i}: ${what}, once, with what to do`, linesOf(gateway, `set the same ${setting} on all`) === 1)
    }
    const secrets = [settings.COUNTERSIGN_ADMIN_TOKEN, other.COUNTERSIGN_ADMIN_TOKEN, other.COUNTERSIGN_MASTER_KEY]
    check(`instance ${i} logs no secret`, !secrets.some(secret => gateway.output.log.includes(secret)))
  }
  for (const gateway of gateways) await gateway.stop()

  // A key that opens nothing of this store.
  const foreign = { ...settings, COUNTERSIGN_MASTER_KEY: other.COUNTERSIGN_MASTER_KEY }
  const refused = await startObserved({ settings: foreign }).catch(error => error.message)
  check(
    "an instance without the store's master key does not start, and names the reason",
    /master key/i.test(refused),
    refused
  )
}
