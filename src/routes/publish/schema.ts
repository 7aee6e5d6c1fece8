import Type from 'typebox'
import { needs, ofBody, refusals } from '../common/operation.js'
import { channelSchema, refer } from '../common/schema.js'

/** `POST /v1/publish`: its shapes and its call. */

const newPublicationSchema = Type.Object(
  {
    channel: channelSchema('To whom: all who have joined this channel.'),
    data: Type.Unknown({
      description:
        'Any JSON value, at most `dataBytes` of `welcome.limits` as the gateway writes it (32,768 by default).'
    }),
    idempotencyKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'A repeat within 5 minutes with the same key, by the same token, is the same publication.',
        examples: ['order-4711']
      })
    )
  },
  {
    $id: 'NewPublication',
    additionalProperties: false,
    description: 'Something to tell.',
    examples: [{ channel: 'news', data: { text: 'hello' } }]
  }
)

const publishedSchema = Type.Object(
  {
    offset: Type.Integer({ minimum: 1, description: 'Its place in the channel.', examples: [7] }),
    epoch: Type.String({ description: 'In which unbroken numbering of the channel.', examples: ['Hx7iKuzdnZbr5s'] }),
    duplicate: Type.Optional(
      Type.Boolean({ description: '`true`: the idempotency key was used before, and this is what came of it.' })
    )
  },
  { $id: 'Published', description: 'Where it stands (PROTOCOL.md, section 10).' }
)

export const publishCalls = {
  publish: {
    tags: ['Publications'],
    operationId: 'publish',
    summary: 'Publish',
    description:
      'To all who have joined a channel, on every instance. A token publishes within its own `publish` patterns; in `client:…` and `session:…` only by one that spells the prefix. Where the answer was lost, repeat with the same `idempotencyKey`.',
    security: needs('publish', 'admin'),
    body: refer(newPublicationSchema),
    response: { 200: refer(publishedSchema, 'It is published.') },
    refusals: refusals([...ofBody])
  }
} as const

export const publishSchemas = [newPublicationSchema, publishedSchema]
