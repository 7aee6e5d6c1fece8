import t from 'tap'
import { read, sources } from './files.js'

/** The table of fixed bounds in docs/bounds.md against the constants of the source. */

interface Constant {
  readonly name: string
  readonly value: number
  readonly isExported: boolean
}

/** Constants whose value another one gives. */
const namedValues: Readonly<Record<string, number>> = { keysWithoutKeyId: 4 }

/** Exported constants that bound nothing of a peer, an operator's file or the store. */
const noBounds: Readonly<Record<string, string>> = {
  maxSlew: 'how fast the steady clock approaches its reference',
  maxVerbs: 'far more verbs of the store than there are',
  maxLineFaults: 'lines of one message'
}

/** @returns the value of products of numbers and other constants; undefined for anything else */
function productOf(text: string): number | undefined {
  const factors = text.split('*').map(each => namedValues[each.trim()] ?? Number(each.trim().replaceAll('_', '')))
  return factors.some(Number.isNaN) ? undefined : factors.reduce((product, factor) => product * factor, 1)
}

/** The client's bounds are those of its own process: PROTOCOL.md and the reference of the SDK have them. */
const constants = sources
  .filter(file => !file.startsWith('src/client/'))
  .flatMap(file =>
    [...read(file).matchAll(/^(export )?const ((?:max|defaultMax)[A-Z]\w*)(?:: number)? = ([^\n]+)$/gm)].flatMap(
      ([, exported, name = '', text = '']): Constant[] => {
        const value = productOf(text)
        return value === undefined ? [] : [{ name, value, isExported: exported !== undefined }]
      }
    )
  )

/** @param text  `16,384`, `64 KiB` or `512 MiB` */
function shownValue(text: string): number {
  const [amount = '', unit = ''] = text.replaceAll(',', '').split(' ')
  return Number(amount) * ({ '': 1, KiB: 1024, MiB: 1024 * 1024 }[unit] ?? Number.NaN)
}

const rows = [
  ...read('docs/bounds.md').matchAll(/^\| `((?:max|defaultMax)\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)
].map(([, name = '', value = '', what = '', outcome = '']) => ({ name, value: shownValue(value), what, outcome }))

t.test('docs/bounds.md lists every fixed bound with its value', async t => {
  t.ok(rows.length > 50, `${rows.length} rows`)
  const listed = new Set(rows.map(({ name, value }) => `${name} ${value}`))
  t.equal(listed.size, rows.length, 'each once')
  for (const { name, value, isExported } of constants) {
    if (isExported && !(name in noBounds)) t.ok(listed.has(`${name} ${value}`), `${name} is ${value}`)
  }
  const known = new Set(constants.map(({ name, value }) => `${name} ${value}`))
  for (const row of listed) t.ok(known.has(row), `${row} is in the source`)
  for (const name of Object.keys(noBounds))
    t.ok(
      constants.some(each => each.name === name),
      `${name} needs no exception`
    )
})
