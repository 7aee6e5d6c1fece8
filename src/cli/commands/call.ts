import { call } from '../call.js'
import type { CommandSpec } from '../command.js'
import { gatewayOptions, integer, text, toggle } from '../options.js'

export const callCommand: CommandSpec = {
  usage: 'call <method> [data]',
  summary: 'Call a method of a session, such as a game server, and print its reply.',
  details:
    'Prints the reply as JSON, and on stderr how long it took. Exit code 1 if the receiver answers with an error, or not in time: ' +
    'then it may have run. Repeating it with the same --key within 5 minutes is safe: it runs once. With --all each session is ' +
    'called; a line for each has its id, the time and the reply, and the exit code is 0 if all replied. A token needs the scope ' +
    'calls and a `call` pattern.',
  args: { method: 'the method, e.g. kick', data: 'what it gets, as JSON' },
  options: [
    text('--to-client <clientId>', 'Any live session of this client, the most recently seen; with --all each of them.'),
    text('--to-session <sessionId>', 'This session.'),
    toggle('--all', 'Every session of the client, at most 1,000.'),
    integer('--timeout-ms <ms>', 'How long to wait for the reply, 100 to 30,000. Default 10,000.', {
      min: 100,
      max: 30_000
    }),
    text('--key <key>', 'Idempotency key, 1 to 64 characters.'),
    ...gatewayOptions
  ],
  examples: [
    `countersign call --to-client my-game kick '{"player":"Builderman"}'`,
    'countersign call --to-client my-game --all state --json'
  ],
  run: call
}
