import type { CommandSpec } from '../command.js'
import { integer, jsonOption, toggle } from '../options.js'
import { clientOptions } from './client-options.js'

/** Commands on a channel that act as a client. They load their code when they run: see `gateway.ts`. */

const args = { channel: 'the channel' }

export const channelCommands: readonly CommandSpec[] = [
  {
    usage: 'subscribe <channel>',
    summary: 'Print what is published on a channel, a line each, until Ctrl-C.',
    details:
      'Each line has the time, the publisher (`-`: over HTTP) and the data as JSON. It reconnects by itself and prints what it missed. ' +
      'Acts as a client, with a ticket that it gets with the token, or with --credential.',
    args,
    options: [
      integer('--last <n>', 'Begin with this number of the newest publications, up to 512.', { min: 1, max: 512 }),
      integer('--count <n>', 'End after this number of publications.', { min: 1, max: 1_000_000_000 }),
      toggle('--json', 'Print each publication as a line of JSON; times are Unix milliseconds.'),
      ...clientOptions.filter(option => option !== jsonOption)
    ],
    examples: ['countersign subscribe news', 'countersign subscribe config --last 1 --count 1 --json'],
    run: async invocation => (await import('../subscribe.js')).subscribe(invocation)
  },
  {
    usage: 'presence <channel>',
    summary: 'List the sessions in a channel.',
    details:
      'Only for channels in COUNTERSIGN_PRESENCE. Acts as a client, with a ticket that it gets with the token, or with --credential.',
    args,
    options: [
      integer('--limit <n>', 'Sessions to list, up to 100. Default 100.', { min: 0, max: 100 }),
      ...clientOptions
    ],
    examples: ['countersign presence lobby', 'countersign presence lobby --limit 0 --json'],
    run: async invocation => (await import('../subscribe.js')).presence(invocation)
  }
]
