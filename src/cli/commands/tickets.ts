import type { CommandSpec } from '../command.js'
import { saveOption } from '../credential.js'
import { attributeOption, capabilityMembers, capabilityOptions, seconds } from '../options.js'
import { membersOf, requestCommand } from '../resource.js'

export const ticketCommands: readonly CommandSpec[] = [
  requestCommand({
    usage: 'tickets create <clientId>',
    summary: 'Create a short-lived credential, for example for a web page.',
    details: 'The secret is shown once, on stdout, or saved to a file. The client need not exist.',
    args: { clientId: 'the client' },
    options: [
      seconds('--ttl <seconds>', 'How long it is valid: seconds, or 5m, 1h; 30 s to 1d. Default 5m.', {
        min: 30,
        max: 86_400
      }),
      ...capabilityOptions,
      attributeOption,
      saveOption
    ],
    examples: ['countersign tickets create web-42 --ttl 10m --services "shop-*"'],
    request: 'POST /v1/tickets',
    body: invocation => ({
      ...invocation.args,
      ...membersOf(invocation, ['ttl', ...capabilityMembers])
    }),
    show: ['clientId', 'keyId', 'expiresAt'],
    secret: 'secret'
  })
]
