import Type from 'typebox'
import { maxPresent } from '../../../store/presence.js'
import { needs, refusals } from '../../common/operation.js'
import { channelSchema, clientIdSchema, pageQuerySchema, pageSchema, refer } from '../../common/schema.js'
import { sessionIdSchema } from '../sessions/schema.js'

/** `/v1/admin/channels/{channel}/presence`: its shapes and its call. */

const presentSchema = Type.Object(
  { sessionId: sessionIdSchema, clientId: clientIdSchema },
  { $id: 'Present', description: 'A session that has joined the channel.' }
)

const presenceSchema = Type.Object(
  {
    channel: channelSchema('The channel.'),
    count: Type.Integer({ minimum: 0, description: `How many are there, at most ${maxPresent}.`, examples: [1] }),
    ...pageSchema(presentSchema, '').properties
  },
  { $id: 'PresencePage', description: 'Who is in a channel.' }
)

export const presenceCalls = {
  list: {
    tags: ['Publications'],
    operationId: 'listPresence',
    summary: 'Who is in a channel',
    description:
      'How many, and which sessions, over all instances, in the order of their ids. Kept of channels that fit `COUNTERSIGN_PRESENCE`. It is about a second behind; what a crashed instance held is shown for up to a minute.',
    security: needs('admin', 'read'),
    params: Type.Object({ channel: channelSchema('The channel.') }),
    querystring: pageQuerySchema,
    response: { 200: refer(presenceSchema, 'Who is there, a page of them.') },
    refusals: refusals([400, 404], { 404: 'no presence is kept of this channel' })
  }
} as const

export const presenceSchemas = [presentSchema, presenceSchema]
