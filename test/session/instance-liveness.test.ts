import t from 'tap'
import { InstanceLiveness, livenessLifeMs, maxKnownInstances } from '../../src/session/instance-liveness.js'
import { createClock } from '../helper/clock.js'

function start() {
  const clock = createClock()
  const asked: string[] = []
  const answers = new Map<string, boolean | Error>()
  const store = {
    async isAlive(instanceId: string) {
      asked.push(instanceId)
      const answer = answers.get(instanceId) ?? true
      if (answer instanceof Error) throw answer
      return answer
    }
  }
  return { clock, asked, answers, instances: new InstanceLiveness({ store, instanceId: 'own', now: clock.now }) }
}

t.test('asks the store once a second about an instance, and never about its own', async t => {
  const { clock, asked, answers, instances } = start()
  t.equal(await instances.isAlive('own'), true)
  t.same(await Promise.all([instances.isAlive('a'), instances.isAlive('a'), instances.isAlive('b')]), [
    true,
    true,
    true
  ])
  t.same(asked, ['a', 'b'])
  answers.set('a', false)
  clock.advance(livenessLifeMs - 1)
  t.equal(await instances.isAlive('a'), true)
  clock.advance(1)
  t.equal(await instances.isAlive('a'), false)
  t.same(asked, ['a', 'b', 'a'])
})

t.test('does not keep a failure', async t => {
  const { answers, instances } = start()
  answers.set('a', new Error('away'))
  await t.rejects(instances.isAlive('a'), /away/)
  answers.set('a', true)
  t.equal(await instances.isAlive('a'), true)
})

t.test('keeps a bounded number of answers', async t => {
  const { asked, instances } = start()
  for (let i = 0; i <= maxKnownInstances; i++) await instances.isAlive(`i${i}`)
  await instances.isAlive(`i${maxKnownInstances}`)
  t.equal(asked.length, maxKnownInstances + 1)
  await instances.isAlive('i0')
  t.equal(asked.length, maxKnownInstances + 2, 'the oldest was forgotten')
})
