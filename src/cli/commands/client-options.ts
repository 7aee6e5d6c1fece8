import type { Option } from 'commander'
import { gatewayOptions, text } from '../options.js'

/** Options of commands that act as a client. */
export const clientOptions: readonly Option[] = [
  text('--credential <file>', 'Act with this credential (`clients create --save`) instead of a ticket.'),
  text(
    '--client <clientId>',
    'The clientId of the ticket, which the token must permit. Default: cli- and a random text.'
  ),
  ...gatewayOptions
]
