import { openMany, WsSession } from '../../lib/countersign.mjs'
import { interleave, keepAsking, keepInFlight } from '../../lib/measure.mjs'
import { adminHeaders, administer, createCredential, startGateway, startRedis } from '../../lib/processes.mjs'
import { RawHttp } from '../../lib/raw-http.mjs'
import { log } from '../../lib/report.mjs'

// The same requests about few and about many licenses, each about another one at random.

const [chunkSize, sessions, connections, pageSize] = [500, 20, 8, 50]
const boundAt = '2030-01-01T00:00:00Z'

const keyOf = i => `BENCH-${String(i).padStart(8, '0')}`
const hwidOf = i => `hwid-${i}`
const anyOf = list => list[Math.floor(Math.random() * list.length)]

/** Licenses that are bound already, so that a `validate` reads and does not write. */
async function importLicenses(gateway, count) {
  const { importId } = await administer(gateway, 'POST', '/imports')
  for (let from = 0; from < count; from += chunkSize) {
    const licenses = Array.from({ length: Math.min(chunkSize, count - from) }, (_, i) => ({
      ...{ serviceId: 'bench', key: keyOf(from + i), hwids: [{ hwid: hwidOf(from + i), boundAt }] }
    }))
    await administer(gateway, 'POST', `/imports/${importId}/licenses`, { licenses })
  }
  await administer(gateway, 'POST', `/imports/${importId}/commit`)
}

/** Ids from all over the list. */
async function sampleIds(gateway, count) {
  const ids = []
  for (let after = ''; ids.length < count; ) {
    const { items, next } = await administer(gateway, 'GET', `/licenses?limit=1000${after && `&after=${after}`}`)
    ids.push(...items.map(({ licenseId }) => licenseId))
    if (next === undefined) return ids
    after = next
  }
  return ids
}

/** A gateway with so many licenses. */
async function open(store, count) {
  const redis = store === 'Redis' ? await startRedis() : undefined
  const gateway = await startGateway({ redisUrl: redis?.url })
  const credential = await createCredential(gateway)
  const since = performance.now()
  await importLicenses(gateway, count)
  log(`    imported in ${((performance.now() - since) / 1000).toFixed(1)} s`)
  const ids = await sampleIds(gateway, count)
  const cpuUs = async () => (await gateway.cpuUs()) + ((await redis?.cpuUs()) ?? 0)
  return { store, count, gateway, redis, credential, ids, cpuUs }
}

/** Connections are opened when all licenses are there: a gateway closes those that ask nothing. */
async function connect({ store, count, gateway, redis, credential, ids, cpuUs }) {
  const opened = await openMany(sessions, () => WsSession.open(gateway.url, credential))
  const https = Array.from({ length: connections }, () => new RawHttp(gateway.url, adminHeaders))
  const validates = opened.map(each => ({
    socket: each.socket,
    next() {
      const i = Math.floor(Math.random() * count)
      return each.text('validate', `,"serviceId":"bench","key":"${keyOf(i)}","hwid":"${hwidOf(i)}"`)
    }
  }))
  const asking = path => https.map(each => ({ request: () => ask(each, path()) }))
  const lookUp = asking(() => `/v1/admin/licenses/${anyOf(ids)}`)
  // Not from the end of the list, where a page is short.
  const starts = ids.slice(0, Math.max(1, ids.length - pageSize))
  const list = asking(() => `/v1/admin/licenses?limit=${pageSize}&after=${anyOf(starts)}`)
  return {
    sides: [
      { name: `${store} validate ${count}`, cpuUs, run: ms => keepInFlight(validates, 4, ms) },
      { name: `${store} lookup ${count}`, cpuUs, run: ms => keepAsking(lookUp, ms) },
      { name: `${store} list ${count}`, cpuUs, run: ms => keepAsking(list, ms) }
    ],
    async stop() {
      for (const each of opened) each.close()
      for (const each of https) each.destroy()
      await gateway.stop()
      await redis?.stop()
    }
  }
}

async function ask(http, path) {
  const { status, body } = await http.ask('GET', path)
  if (status !== 200) throw new Error(`${path}: ${status} ${body}`)
}

/** @returns results by `store operation count`, for the operations validate, lookup and list */
export async function measureLicenses(store, counts, pace) {
  const opened = []
  for (const count of counts) {
    log(`  ${count} licenses, ${store} …`)
    opened.push(await open(store, count))
  }
  // Neighbours in time are the sides that are compared.
  const connected = await Promise.all(opened.map(connect))
  const [few, many] = connected.map(({ sides }) => sides)
  const results = await interleave(
    few.flatMap((side, i) => [side, many[i]]),
    pace
  )
  for (const each of connected) await each.stop()
  return results
}
