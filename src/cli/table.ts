import type { Command, Flag } from './command.js'
import { clientCommands } from './commands/clients.js'
import { keyCommands } from './commands/keys.js'
import { licenseCommands } from './commands/licenses.js'
import { publishCommand } from './commands/publish.js'
import { sessionCommands } from './commands/sessions.js'
import { tokenCommands } from './commands/tokens.js'
import { transferCommands } from './commands/transfer.js'
import { jsonFlag } from './common.js'
import { complete, shells } from './completion.js'
import { settingFlags } from './flags.js'
import { write } from './output.js'

/**
 * Every command. Parsing, help, completion and docs/cli.md follow from this table. What needs the gateway's insides is
 * loaded only when it is run: a command that asks over HTTP starts at once.
 */

const localFlags: readonly Flag[] = [...settingFlags, jsonFlag]

const ownCommands: readonly Command[] = [
  {
    path: ['connect'],
    summary: 'Talk to a gateway as a client, over WebSocket.',
    details:
      'Shows every frame: ✓ its signature was made or verified here, · it has none. Takes lines: validate <serviceId> ' +
      '<hwid> <key> (hwid `-`: none), subscribe <channel>, unsubscribe <channel>, publish <channel> <JSON>, heartbeat, ' +
      'help, bye. With stdin from a pipe it answers each line in turn and ' +
      'leaves. The credential is in CLIENT_ID, KEY_ID and CLIENT_SECRET, or in a file. Exit code 1 where a line was ' +
      'refused or the gateway would not have us.',
    args: [],
    flags: [
      {
        name: 'url',
        kind: 'text',
        value: '<url>',
        summary: 'The gateway: http(s):// or ws(s)://. Default as for the other commands.'
      },
      {
        name: 'credential',
        kind: 'text',
        value: '<file>',
        summary: 'JSON with clientId, keyId and secret that nobody else can read: see `clients create --save`.'
      },
      {
        name: 'attribute',
        kind: 'pairs',
        value: '<name=value>',
        member: 'attributes',
        summary: 'A note for operators.'
      },
      { name: 'json', kind: 'switch', summary: 'Print only the answers, each as a line of JSON.' }
    ],
    examples: [
      'countersign connect --credential game-1.json',
      "echo 'validate shop PC-7 ABCD-1234' | countersign connect --credential game-1.json --json"
    ],
    run: async context => (await import('./connect.js')).connect(context)
  },
  {
    path: ['serve'],
    summary: 'Run a gateway. This is what `countersign` alone does.',
    details: 'Each flag is also an environment variable, and a line of .env: --data-dir is COUNTERSIGN_DATA_DIR.',
    args: [],
    flags: settingFlags,
    raw: true,
    examples: ['countersign serve --port 9000 --data-dir /var/lib/countersign'],
    run: async ({ raw, io }) => (await import('./serve.js')).serve(raw, io.env)
  },
  {
    path: ['doctor'],
    summary: 'Look for what keeps a gateway from running, and say what to do.',
    details:
      'Looks at Node, the configuration, the data folder, the key ring, the store, the clock and the port, with the ' +
      'settings that `serve` would have. Changes nothing. Exit code 0 where all is well.',
    args: [],
    flags: localFlags,
    raw: true,
    examples: ['countersign doctor', 'countersign doctor --port 9000 --json'],
    run: async ({ raw, io }) => (await import('./doctor.js')).doctor(raw, io)
  },
  {
    path: ['config'],
    summary: 'Show what `serve` would be configured with, and where each value is from.',
    details: 'Secrets are never shown. Exit code 1 where there is a fault.',
    args: [],
    flags: localFlags,
    raw: true,
    examples: ['countersign config', 'countersign config --json'],
    run: async ({ raw, io }) => (await import('./config.js')).showConfig(raw, io)
  },
  {
    path: ['completion'],
    summary: 'Print a script that completes commands and flags in your shell.',
    args: [{ name: 'shell', summary: shells.join(', ') }],
    flags: [],
    examples: [
      'source <(countersign completion bash)',
      'countersign completion zsh > ~/.zfunc/_countersign',
      'countersign completion fish > ~/.config/fish/completions/countersign.fish'
    ],
    async run({ io, values }) {
      await write(io.stdout, complete(values.arg('shell'), table))
      return 0
    }
  }
]

export const table: readonly Command[] = [
  ...clientCommands,
  ...keyCommands,
  ...licenseCommands,
  ...transferCommands,
  ...tokenCommands,
  publishCommand,
  ...sessionCommands,
  ...ownCommands
]
