import Type from 'typebox'
import { maxPresent } from '../../../store/presence.js'
import { needs, refusals } from '../../common/operation.js'
import { channelSchema, clientIdSchema, pageQuerySchema, pageSchema, refer } from '../../common/schema.js'
import { publishTag } from '../../publish/schema.js'
import { sessionIdSchema } from '../sessions/schema.js'

/** `/v1/admin/channels/{channel}/presence`: schemas and operation. */

const presentSchema = Type.Object(
  { sessionId: sessionIdSchema, clientId: clientIdSchema },
  { $id: 'Present', description: 'A session that is subscribed to the channel.' }
)

const presenceSchema = Type.Object(
  {
    channel: channelSchema('The channel.'),
    count: Type.Integer({
      minimum: 0,
      description: `Number of subscribed sessions, at most ${maxPresent}.`,
      examples: [1]
    }),
    ...pageSchema(presentSchema, '').properties
  },
  { $id: 'PresencePage', description: 'The subscribers of a channel.' }
)

export const presenceCalls = {
  list: {
    tags: [publishTag.name],
    operationId: 'listPresence',
    summary: 'List the subscribers of a channel',
    description:
      'The subscribed sessions of all instances and their number, ordered by session id. Presence is kept for channels that match `COUNTERSIGN_PRESENCE`. It lags about a second; the sessions of a crashed instance stay listed for up to a minute.',
    security: needs('admin', 'read'),
    params: Type.Object({ channel: channelSchema('The channel.') }),
    querystring: pageQuerySchema,
    response: { 200: refer(presenceSchema, 'A page of subscribers.') },
    refusals: refusals([400, 404], { 404: 'presence is not kept for this channel' })
  }
} as const

export const presenceSchemas = [presentSchema, presenceSchema]
