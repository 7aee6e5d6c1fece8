import type { CommandSpec } from '../command.js'
import { attributeOption, jsonOption, text, toggle } from '../options.js'

/**
 * Commands that run a gateway, check one, or connect to one. They load their code when they run, so that the commands
 * that only send a request start at once.
 */
export const gatewayCommands: readonly CommandSpec[] = [
  {
    usage: 'connect',
    summary: 'Connect to a gateway as a client, over WebSocket.',
    details:
      'Shows every frame: ✓ its signature was made or verified here, · it has none. Reads lines: validate <serviceId> ' +
      '<hwid> <key> (hwid `-`: none), subscribe <channel>, unsubscribe <channel>, publish <channel> <JSON>, heartbeat, ' +
      'help, bye. When stdin is a pipe, it answers each line in turn and ends. The credential comes from CLIENT_ID, ' +
      'KEY_ID and CLIENT_SECRET, or from a file. Exit code 1 if a line was refused or the gateway ended the session.',
    options: [
      text('--url <url>', 'The gateway: http(s):// or ws(s)://. Default as for the other commands.'),
      text(
        '--credential <file>',
        'JSON with clientId, keyId and secret that only you can read: see `clients create --save`.'
      ),
      attributeOption,
      toggle('--json', 'Print only the answers, each as a line of JSON.')
    ],
    examples: [
      'countersign connect --credential game-1.json',
      "echo 'validate shop PC-7 ABCD-1234' | countersign connect --credential game-1.json --json"
    ],
    run: async invocation => (await import('../connect.js')).connect(invocation)
  },
  {
    usage: 'serve',
    summary: 'Run a gateway. `countersign` alone does the same.',
    details: 'Each option is also an environment variable and a line of .env: --data-dir is COUNTERSIGN_DATA_DIR.',
    takesSettings: true,
    examples: ['countersign serve --port 9000 --data-dir /var/lib/countersign'],
    run: async ({ settings }) => (await import('../serve.js')).serve(settings())
  },
  {
    usage: 'init-store',
    summary: 'Give an empty store its identity, as the first start of a gateway does.',
    details:
      'Takes the settings that `serve` would have. After a store was lost for good: instances that have used it accept ' +
      'no other one, so restart them afterwards. To bring its data back instead, run `countersign restore`.',
    takesSettings: true,
    options: [jsonOption],
    examples: ['countersign init-store --store redis://redis.internal:6379'],
    run: async invocation => (await import('../init-store.js')).initStore(invocation)
  },
  {
    usage: 'doctor',
    summary: 'Find out why a gateway does not run, and what to do about it.',
    details:
      'Checks Node, the configuration, the data folder, the master keys, the store, the clock and the port, with the ' +
      'settings that `serve` would have. Changes nothing. Exit code 0 if every check passes.',
    takesSettings: true,
    options: [jsonOption],
    examples: ['countersign doctor', 'countersign doctor --port 9000 --json'],
    run: async invocation => (await import('../doctor.js')).doctor(invocation)
  },
  {
    usage: 'config',
    summary: 'Show the configuration that `serve` would have, and where each value comes from.',
    details: 'Never shows a secret. Exit code 1 if there is a fault.',
    takesSettings: true,
    options: [jsonOption],
    examples: ['countersign config', 'countersign config --json'],
    run: async invocation => (await import('../config.js')).showConfig(invocation)
  }
]
