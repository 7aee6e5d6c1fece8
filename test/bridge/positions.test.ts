import t from 'tap'
import { applyChanges, joinsAndLeaves, noChanges } from '../../src/bridge/positions.js'

const at = (offset: number) => ({ offset, epoch: 'e' })
const positions = new Map([
  ['a', at(1)],
  ['b', at(2)]
])

t.test('applies changes without mutating the positions', async t => {
  const changes = new Map([
    ['a', at(5)],
    ['b', undefined],
    ['c', at(1)]
  ])
  t.same(
    [...applyChanges(positions, changes)],
    [
      ['a', at(5)],
      ['c', at(1)]
    ]
  )
  t.same([...positions.keys()], ['a', 'b'])
  t.equal(applyChanges(positions, noChanges), positions, 'shared when nothing changes')
})

t.test('separates joins and leaves from moves', async t => {
  const changes = new Map([
    ['a', at(5)],
    ['b', undefined],
    ['c', at(1)],
    ['d', undefined]
  ])
  t.same(joinsAndLeaves(positions, changes), [
    ['b', undefined],
    ['c', at(1)]
  ])
  t.same(joinsAndLeaves(positions, noChanges), [])
})
