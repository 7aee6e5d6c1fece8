import t from 'tap'
import { keySlot } from '../../src/store/redis/key-slot.js'
import { maxBatchBytes, maxBatchCalls, maxOpenBatches, ScriptBatches } from '../../src/store/redis/script-batches.js'
import { sendAtTurnEnd, writeAtTurnEnd } from '../../src/store/redis/turn-end.js'
import { StoreUnavailable } from '../../src/store/store.js'

/** Which calls of a turn share a script, without a Redis. */

/** Records the keys of each script, and answers each call with its first key. */
function open(isCluster = false) {
  const scripts: (readonly string[])[] = []
  const redis = {
    isCluster,
    async script(_name: string, keys: readonly string[]): Promise<unknown> {
      scripts.push(keys)
      return keys.length === 1 ? keys[0] : keys
    },
    refused: (_name: string, error: Error) => new StoreUnavailable(error)
  }
  const batches = new ScriptBatches(redis, 'channelPublish')
  return {
    redis,
    scripts,
    batches,
    add: (key: string, bytes = 1, shared = ['a', 'b']) => batches.add({ keys: [key], shared, args: [key], bytes })
  }
}

const endOfTurn = () => new Promise(resolve => setImmediate(resolve))

t.test('calls of a turn are one script, with those to each object in a row and in their order', async t => {
  const { scripts, add, batches } = open()
  const answers = Promise.all(['a', 'b', 'a', 'c'].map(key => add(key)))
  batches.sendBefore('other')
  t.same(scripts, [['a', 'a', 'b', 'c']], 'without a Cluster a command waits for all objects')
  t.same(await answers, ['a', 'b', 'a', 'c'], 'each has its own answer')
  const later = add('d')
  t.equal(scripts.length, 1, 'it waits for the end of its turn')
  await endOfTurn()
  t.same(scripts[1], ['d'])
  t.equal(await later, 'd')
  await endOfTurn()
  t.equal(scripts.length, 2)
})

t.test('a script has a bounded number of calls and of bytes', async t => {
  const { scripts, add } = open()
  const many = Array.from({ length: 2 * maxBatchCalls + 1 }, () => add('a'))
  t.same(
    scripts.map(({ length }) => length),
    [maxBatchCalls, maxBatchCalls],
    'a full one is sent at once'
  )
  await Promise.all(many)
  t.equal(scripts.splice(0).length, 3)
  await Promise.all([add('a', 1), add('b', maxBatchBytes), add('c', maxBatchBytes - 1), add('d', 1), add('e', 1)])
  t.same(scripts.splice(0), [['a'], ['b'], ['c', 'd'], ['e']])
  await Promise.all([add('a', maxBatchBytes + 1), add('b', 1)])
  t.same(scripts, [['a'], ['b']], 'a larger call is alone')
})

t.test('on a Cluster each slot has a separate script, and a bounded number is collected', async t => {
  const { scripts, add, batches } = open(true)
  const keys = Array.from({ length: maxOpenBatches + 1 }, (_, i) => `cs:channel:{c${i}}`)
  t.equal(new Set(keys.map(keySlot)).size, keys.length)
  const all = keys.map(key => add(key))
  t.same(scripts.splice(0).flat(), keys.slice(0, -1), 'they are sent before one more begins')
  await Promise.all(all)
  t.same(scripts.splice(0), [[keys.at(-1)]])
  const [a = '', b = ''] = keys
  const inOneSlot = [add(a), add(b), add(`${a}@x`)]
  batches.sendBefore(a)
  t.same(scripts, [[a, `${a}@x`]], 'a command waits for the calls of its slot')
  t.same(await Promise.all(inOneSlot), [a, b, `${a}@x`])
  t.same(scripts, [[a, `${a}@x`], [b]])
})

t.test('calls with other shared arguments begin another script', async t => {
  const { scripts, add } = open()
  const shared = ['a', 'c']
  t.same(await Promise.all([add('x'), add('y', 1, shared), add('z', 1, [...shared]), add('x')]), ['x', 'y', 'z', 'x'])
  t.same(scripts, [['x'], ['y', 'z'], ['x']])
})

t.test('a script that fails fails for all, an error in its reply for its call', async t => {
  const { redis, add } = open()
  redis.script = async () => [new Error('WRONGTYPE'), 'b']
  const [failed, made] = await Promise.allSettled([add('a'), add('b')])
  t.match(failed, { status: 'rejected', reason: { name: 'StoreUnavailable', cause: { message: 'WRONGTYPE' } } })
  t.match(made, { status: 'fulfilled', value: 'b' })
  for (const reply of [['a'], 'a', null]) {
    redis.script = async () => reply
    const both = await Promise.allSettled([add('a'), add('b')])
    t.match(both, [{ status: 'rejected' }, { status: 'rejected' }], 'another number of replies')
  }
  const unsent = new StoreUnavailable(new Error('gone'), 'unsent')
  redis.script = async () => {
    throw unsent
  }
  t.match(await Promise.allSettled([add('a'), add('b')]), [{ reason: unsent }, { reason: unsent }])
})

t.test('data sent at the end of a turn is written in that turn', async t => {
  const steps: string[] = []
  writeAtTurnEnd(() => steps.push('write'))
  sendAtTurnEnd(() => {
    steps.push('send')
    writeAtTurnEnd(() => steps.push('write what was sent'))
  })
  const next = endOfTurn()
  t.same(steps, [])
  await next
  t.same(steps, ['send', 'write', 'write what was sent'])
  sendAtTurnEnd(() => steps.push('next turn'))
  await endOfTurn()
  t.equal(steps.at(-1), 'next turn')
})
