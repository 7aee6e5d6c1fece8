/**
 * Measures the cost of a publication for Redis in a script of several: the source of the figures in docs/scaling.md. It
 * needs `npm run build` and redis-server. Run: node scripts/measure-batches.mjs
 */
import { Redis } from 'ioredis'
import { channelConstants } from '../dist/store/redis/channel-constants.js'
import { loadScripts } from '../dist/store/redis/scripts.js'
import { cleanUp, startRedis } from '../test/helper/processes.mjs'

const rounds = 40
const publicationsPerRound = 200
const data = '{"kind":"chat","from":"player-1234567","text":"a line of chat as people write them","n":42}'

process.on('exit', cleanUp)
const redis = new Redis(await startRedis())
// No history becomes full.
const lua = loadScripts(channelConstants({ size: 1_000_000, lifeMs: 300_000 }, 1_000_000_000)).get('channelPublish')
redis.defineCommand('channelPublish', { lua })

/** A script of `count` publications to `channels` channels, those of each channel in a row. */
function side(count, channels) {
  const keys = Array.from({ length: count }, (_, i) => {
    const key = `cs:channel:{${count}-${channels}-${Math.floor((i * channels) / count)}}`
    return [key, `${key}@history`]
  }).flat()
  const publication = () => [data, Date.now(), 'epoch', '', '']
  const argsOf = () => ['sharded', ...Array.from({ length: count }, publication).flat()]
  return {
    count,
    channels,
    least: Number.POSITIVE_INFINITY,
    call: to => to.channelPublish(keys.length, ...keys, ...argsOf())
  }
}

/** @returns microseconds of the script per publication */
async function measure({ count, call }) {
  await redis.config('RESETSTAT')
  const pipeline = redis.pipeline()
  for (let i = 0; i < publicationsPerRound; i += count) call(pipeline)
  for (const [error, reply] of await pipeline.exec()) {
    const failure = error ?? [reply].flat().find(each => each instanceof Error)
    if (failure) throw failure
  }
  const [, usec] = /cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(await redis.info('commandstats'))
  return usec / (Math.ceil(publicationsPerRound / count) * count)
}

const sides = [1, 2, 5, 20, 32].flatMap(count => (count === 1 ? [side(1, 1)] : [side(count, 1), side(count, count)]))
for (let i = 0; i < rounds + 8; i++) {
  for (const each of sides) {
    const us = await measure(each)
    if (i >= 8) each.least = Math.min(each.least, us)
  }
}
for (const { count, channels, least } of sides) {
  console.log(`${count} publications to ${channels} channels: ${least.toFixed(1)} µs each`)
}
process.exit(0)
