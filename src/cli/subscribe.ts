import type { CountersignClient, Publication } from '../client/node.js'
import { explained, rejection, withClient } from './client-session.js'
import type { Invocation } from './command.js'
import { Failure, Interrupted, UsageError } from './errors.js'
import { LineWriter } from './line-writer.js'
import { clean, columns, note, printJson, tablePrinter } from './output.js'
import { shortTime } from './times.js'

/** `countersign subscribe` and `countersign presence`. */

/** @throws UsageError for a name that the gateway would refuse in a ticket */
function channelOf({ args }: Invocation): string {
  const channel = args['channel'] ?? ''
  if (/^[A-Za-z0-9_.:-]{1,128}$/.test(channel)) return channel
  throw new UsageError(`argument 'channel' must be 1 to 128 of letters, digits, "_", ".", ":", "-"`)
}

function lineOf({ publishedAt, publisher = '-', data }: Publication): string {
  return `${shortTime(new Date(publishedAt).toISOString())}  ${clean(publisher)}  ${clean(JSON.stringify(data))}`
}

async function print(client: CountersignClient, channel: string, { io, options }: Invocation): Promise<void> {
  const { json = false, last, count = Number.POSITIVE_INFINITY } = options
  const lines = new LineWriter(io)
  let refuse = (_: Error) => {}
  const refused = rejection(reject => {
    refuse = reject
  })
  client.on('missed', () => void note(io, 'publications were missed'))
  client.on('lost', ({ reason }) => void note(io, `lost the connection (${clean(reason)}), trying again`))
  let printed = 0
  const complete = new Promise<void>(resolve => {
    const subscription = client.subscribe(
      channel,
      publication => {
        lines.print(json ? JSON.stringify(publication) : lineOf(publication))
        printed++
        if (printed < count) return
        subscription.unsubscribe()
        resolve()
      },
      last === undefined ? {} : { last }
    )
    explained(subscription.ready).then(() => {
      void note(io, `subscribed to ${clean(channel)}`)
      client.on('unsubscribed', ({ code }) => refuse(new Failure(`the gateway withdrew the channel (${clean(code)})`)))
    }, refuse)
  })
  await Promise.race([complete, refused, lines.failed])
  await lines.done
}

/** @returns the exit code */
export async function subscribe(invocation: Invocation): Promise<number> {
  const channel = channelOf(invocation)
  try {
    await withClient(invocation, { subscribe: [channel] }, client => print(client, channel, invocation))
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
  }
  return 0
}

/** @returns the exit code */
export async function presence(invocation: Invocation): Promise<number> {
  const { io, options } = invocation
  const channel = channelOf(invocation)
  const { limit } = options
  const present = await withClient(invocation, { presence: [channel] }, client =>
    explained(client.presence(channel, limit === undefined ? {} : { limit }))
  )
  if (options.json) await printJson(io, present)
  else {
    const { count, sessions } = present
    if (sessions.length > 0) {
      await tablePrinter(io, columns({ SESSION: 'sessionId', CLIENT: 'clientId', ATTRIBUTES: 'attributes' }))(sessions)
    }
    await note(
      io,
      count === sessions.length ? `${count} in all` : `${count} in all, of which ${sessions.length} are listed`
    )
  }
  return 0
}
