import t from 'tap'
import { keySlot, slotCount } from '../../src/store/redis/key-slot.js'
import { createKeys } from '../../src/store/redis/keys.js'

t.test('computes the slots that the specification of Redis Cluster states', async t => {
  const slots = {
    '': 0,
    '123456789': 0x31c3,
    foo: 12_182,
    'foo{hash_tag}': keySlot('hash_tag'),
    'foo{}{bar}': keySlot('foo{}{bar}'),
    'foo{{bar}}zap': keySlot('{bar'),
    'foo{bar}{zap}': keySlot('bar'),
    'foo{bar': keySlot('foo{bar'),
    'ä😀': keySlot('x{ä😀}')
  }
  for (const [key, slot] of Object.entries(slots)) t.equal(keySlot(key), slot, key)
  t.not(keySlot('foo{}{bar}'), keySlot('bar'), 'an empty tag is none')
})

t.test('puts the keys of a channel into one slot, and channels into all shards alike', async t => {
  const keys = createKeys('cs')
  const shards = 6
  const channels = 12_000
  const counts = new Array<number>(shards).fill(0)
  for (let i = 0; i < channels; i++) {
    const name = `match:${i}`
    const slot = keySlot(keys.channel(name))
    const others = [keys.channelHistory(name), keys.channelResult(name, 'client\nkey {x}')]
    if (others.some(key => keySlot(key) !== slot)) t.fail(`${name} has keys in two slots`)
    const shard = Math.floor((slot * shards) / slotCount)
    counts[shard] = (counts[shard] ?? 0) + 1
  }
  const mean = channels / shards
  t.ok(
    counts.every(count => Math.abs(count - mean) < mean * 0.1),
    `each shard has about ${mean}: ${counts}`
  )
})
