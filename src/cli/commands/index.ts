import type { CommandSpec } from '../command.js'
import { auditCommands } from './audit.js'
import { backupCommands } from './backup.js'
import { callCommand } from './call.js'
import { channelCommands } from './channels.js'
import { clientCommands } from './clients.js'
import { gatewayCommands } from './gateway.js'
import { keyCommands } from './keys.js'
import { licenseCommands } from './licenses.js'
import { exportCommand } from './licenses-export.js'
import { importCommand } from './licenses-import.js'
import { publishCommand } from './publish.js'
import { sessionCommands } from './sessions.js'
import { ticketCommands } from './tickets.js'
import { tokenCommands } from './tokens.js'
import { topCommand } from './top.js'

/** Every command, in the order of help and docs/cli.md. `completion` is added by program.ts, which it describes. */
export const commands: readonly CommandSpec[] = [
  ...clientCommands,
  ...keyCommands,
  ...licenseCommands,
  importCommand,
  exportCommand,
  ...tokenCommands,
  ...ticketCommands,
  publishCommand,
  ...channelCommands,
  callCommand,
  ...sessionCommands,
  topCommand,
  ...auditCommands,
  ...backupCommands,
  ...gatewayCommands
]

export const nounSummaries: Readonly<Record<string, string>> = {
  clients: 'Clients and their capabilities.',
  keys: "Clients' keys: rotate and revoke.",
  licenses: 'Licenses, their hardware ids, import and export.',
  tokens: 'API tokens for backends.',
  tickets: 'Short-lived credentials.',
  sessions: 'Live sessions.',
  audit: 'The audit log.'
}
