import { randomUUID } from 'node:crypto'
import { type Command, UsageError } from '../command.js'
import { gatewayFlags, show } from '../common.js'

/** `countersign publish` */

/** @throws UsageError */
function parseData(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`data: not JSON. A text stands in quotes of its own: '"hello"'`)
  }
}

export const publishCommand: Command = {
  path: ['publish'],
  summary: 'Publish to all who have joined a channel.',
  details: 'Safe to repeat with the same --key within 5 minutes: it is published once.',
  args: [
    { name: 'channel', summary: 'the channel' },
    { name: 'data', summary: 'what to tell: JSON' }
  ],
  flags: [
    {
      name: 'key',
      kind: 'text',
      value: '<key>',
      summary: 'What makes a repeat known: 1 to 64 characters. Default: a new one.'
    },
    ...gatewayFlags
  ],
  examples: [`countersign publish news '{"text":"hello"}'`, `countersign publish client:game-1 '"reload"' --key 4711`],
  async run(context) {
    const { values, gateway } = context
    const body = {
      channel: values.arg('channel'),
      data: parseData(values.arg('data')),
      idempotencyKey: values.text('key') ?? randomUUID()
    }
    await show(context, await gateway.call('POST', '/v1/publish', body), ['offset', 'epoch', 'duplicate'])
    return 0
  }
}
