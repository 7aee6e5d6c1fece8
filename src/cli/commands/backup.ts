import type { CommandSpec } from '../command.js'
import { gatewayOptions } from '../options.js'

const revived =
  'What was revoked, deleted, reset or unbanned after the backup is in force again as it was then: revoke it again. ' +
  'Tickets and sessions are not in a backup.'

export const backupCommands: readonly CommandSpec[] = [
  {
    usage: 'backup <file>',
    summary: 'Write everything that lasts to a file: clients, keys, licenses, tokens, the audit log.',
    details:
      'The gateway goes on meanwhile. Records stay sealed: the backup is of no use without the master key, which is not ' +
      'in it. The file is new and only you can read it (mode 0600); an existing one is never replaced.',
    args: { file: 'The file to write.' },
    options: gatewayOptions,
    examples: ['countersign backup backup-2030-01-31.ndjson'],
    run: async invocation => (await import('../backup/backup.js')).backup(invocation)
  },
  {
    usage: 'restore <file>',
    summary: 'Restore a backup, all or nothing, into a store without clients and licenses.',
    details:
      `The gateway must run, and have the master key that the backup was made under. ${revived} The store takes the ` +
      'identity of the backup: gateways that have used the lost store go on by themselves.',
    args: { file: 'A file that `countersign backup` wrote.' },
    options: gatewayOptions,
    examples: ['countersign restore backup-2030-01-31.ndjson'],
    run: async invocation => (await import('../backup/restore.js')).restore(invocation)
  }
]
