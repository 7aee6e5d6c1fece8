import { mostConnections } from '../lib/load.mjs'
import { median, quantile, ratio } from '../lib/measure.mjs'
import { versionOf } from '../lib/processes.mjs'
import { barHead, held, kib, log, table, us, write } from '../lib/report.mjs'
import { measureChannels } from './growth/channels.mjs'
import { measureLicenses } from './growth/licenses.mjs'
import { measureSessions } from './growth/sessions.mjs'

// Whether an operation costs as much with many sessions, subscribers, licenses or channels as with few.

const flat = 1.15
const operations = ['validate', 'lookup', 'list']
const stores = ['embedded', 'Redis']
const number = count => count.toLocaleString('en')

/** The growth of one side over the growth of another in the same rounds. */
function growthToPeer(results, [few, many], ours, peer) {
  const growths = [ours, peer].map(kind => {
    const base = results.get(`${kind} ${few}`).us
    return results.get(`${kind} ${many}`).us.map((value, i) => value / base[i])
  })
  const ratios = growths[0].map((value, i) => value / growths[1][i])
  return { value: median(ratios), low: quantile(ratios, 0.25), high: quantile(ratios, 0.75) }
}

/** Rows of one kind of operation, and its bars: its own growth, and that beside the growth of the peer. */
function compare(results, what, [few, many], ours, peer) {
  const growth = kind => ratio(results, `${kind} ${many}`, `${kind} ${few}`)
  const sizes = `${number(many)} to ${number(few)}`
  return [
    held(`${what}, ${sizes}`, growth(ours), { most: flat }),
    ...(peer === undefined
      ? []
      : [
          held(`(the same of ${peer} alone)`, growth(peer), { most: flat }),
          held(`${what}, its growth to that of ${peer}`, growthToPeer(results, [few, many], ours, peer), { most: flat })
        ])
  ]
}

function sessionSections({ grown, requests, deliveries }, counts, fans) {
  const cost = (results, name) => us(median(results.get(name).us))
  const memory = (kind, count) => grown.find(each => each.kind === kind && each.count === count)
  const kinds = ['countersign', 'ws']
  const resident = { value: memory('countersign', counts.at(-1)).rss / memory('countersign', counts[0]).rss }
  return {
    tables: [
      table(
        ['connections', 'resident, each', 'heap and external, each', 'CPU to open one', 'CPU of a request'],
        kinds.flatMap(kind =>
          counts.map(count => {
            const { rss, heap, openUs } = memory(kind, count)
            return [`${kind}, ${number(count)}`, kib(rss), kib(heap), us(openUs), cost(requests, `${kind} ${count}`)]
          })
        )
      ),
      table(
        ['subscribers', ...fans.map(fan => `${number(fan)}: CPU per delivery`), 'more'],
        kinds.map(kind => [
          kind,
          ...fans.map(fan => cost(deliveries, `${kind} ${fan}`)),
          us(median(deliveries.get(`${kind} ${fans[1]}`).us) - median(deliveries.get(`${kind} ${fans[0]}`).us))
        ])
      )
    ],
    bars: [
      ...compare(requests, 'a request', [counts[0], counts.at(-1)], 'countersign', 'ws'),
      held(`resident memory of a session, ${number(counts.at(-1))} to ${number(counts[0])}`, resident, { most: flat }),
      ...compare(deliveries, 'a delivery', fans, 'countersign', 'ws')
    ]
  }
}

function costTable(head, results, names, [few, many]) {
  return table(
    [head, number(few), number(many)],
    names.map(name => [name, ...[few, many].map(count => us(median(results.get(`${name} ${count}`).us)))])
  )
}

const notes = `## How to read it

One request is in flight on each connection, so the working set of a server grows with their number, and the caches of the processor hold less of it. That costs every server something: the peer shows how much on this machine, in the same run. \`ws\` has no licenses; its channels are a Map of arrays. Each side has a server of its own for each size, so that none pays for another's heap.

Where a delivery costs less at first, the same microseconds of cold caches are a larger part of it: compare the column *more* with that of \`ws\`.

A delivery is measured with the smallest server that has as many sessions. Every history of a channel is full, four publications each. A license is bound already, so that a \`validate\` reads only. CPU over Redis is that of the gateway and of Redis.`

export default async function run({ pace, out, quick }) {
  const most = Math.min(20_000, mostConnections())
  if (!quick && most < 20_000) log(`  ${most} sessions instead of 20,000: the limit of open files (ulimit -Hn)`)
  const counts = quick ? [20, 50, 100] : [1000, 5000, most]
  const fans = quick ? [20, 100] : [2000, most]
  const records = quick ? [100, 400] : [1000, 100_000]
  const fewer = { ...pace, rounds: Math.min(pace.rounds, 5) }

  const sessions = await measureSessions(counts, fans, fewer)
  const licenses = new Map()
  for (const store of stores) licenses.set(store, await measureLicenses(store, records, fewer))
  const channels = await measureChannels([...stores, 'ws'], records, fewer)

  const { tables, bars } = sessionSections(sessions, counts, fans)
  const licenseNames = store => operations.map(name => `${store} ${name}`)
  write({
    ...{ out, name: 'growth', title: 'Growth of one instance' },
    intro:
      'Server CPU of one operation with few and with many sessions, subscribers, licenses or channels. ' +
      `The most sessions are ${number(counts.at(-1))}: a process here may have ` +
      `${number(mostConnections())} connections (its limit of open files, less 400).`,
    versions: { ws: versionOf('ws') },
    sections: [
      ...tables,
      ...stores.map(store => costTable('licenses', licenses.get(store), licenseNames(store), records)),
      costTable('publish, by channels', channels, [...stores, 'ws'], records),
      table(barHead, [
        ...bars,
        ...stores.flatMap(store =>
          licenseNames(store).flatMap(name => compare(licenses.get(store), `licenses, ${name}`, records, name))
        ),
        ...stores.flatMap(store => compare(channels, `a publish by channels, ${store}`, records, store, 'ws'))
      ]),
      notes
    ],
    panels: [
      {
        title: 'Server CPU of a request, µs, one in flight on each connection',
        bars: [...sessions.requests].map(([name, { us: costs }]) => ({
          ...{ name, value: median(costs), isOurs: name.startsWith('countersign') }
        }))
      },
      {
        title: 'Server CPU of a delivery, µs, by subscribers',
        bars: [...sessions.deliveries].map(([name, { us: costs }]) => ({
          ...{ name, value: median(costs), isOurs: name.startsWith('countersign') }
        }))
      },
      {
        title: 'Server CPU of a publish, µs, by channels',
        bars: [...channels].map(([name, { us: costs }]) => ({
          ...{ name, value: median(costs), isOurs: !name.startsWith('ws') }
        }))
      }
    ]
  })
}
