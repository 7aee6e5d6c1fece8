import { randomUUID } from 'node:crypto'
import type { CommandSpec } from '../command.js'
import { parseData } from '../json.js'
import { text } from '../options.js'
import { requestCommand } from '../resource.js'

export const publishCommand: CommandSpec = requestCommand({
  usage: 'publish <channel> <data>',
  summary: 'Publish to every session that has joined a channel.',
  details: 'Repeating it with the same --key within 5 minutes is safe: it is published once.',
  args: { channel: 'the channel', data: 'what to publish, as JSON' },
  options: [text('--key <key>', 'Idempotency key, 1 to 64 characters. Default: a new one.')],
  examples: [`countersign publish news '{"text":"hello"}'`, `countersign publish client:game-1 '"reload"' --key 4711`],
  request: 'POST /v1/publish',
  body: ({ args, options }) => ({
    channel: args['channel'],
    data: parseData(args['data'] ?? ''),
    idempotencyKey: options.key ?? randomUUID()
  }),
  show: ['offset', 'epoch', 'duplicate']
})
