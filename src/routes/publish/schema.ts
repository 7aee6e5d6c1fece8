import Type from 'typebox'
import { needs, ofBody, refusals } from '../common/operation.js'
import type { Tag } from '../common/resource.js'
import { channelSchema, refer } from '../common/schema.js'

/** `POST /v1/publish`: schemas and operation. */

const newPublicationSchema = Type.Object(
  {
    channel: channelSchema('The channel. All of its subscribers receive the publication.'),
    data: Type.Unknown({
      description: 'Any JSON value. Its serialized form has at most `limits.dataBytes` bytes (32,768 by default).'
    }),
    idempotencyKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'A repeat with the same key and the same token within 5 minutes is the same publication.',
        examples: ['order-4711']
      })
    )
  },
  {
    $id: 'NewPublication',
    additionalProperties: false,
    description: 'A publication.',
    examples: [{ channel: 'news', data: { text: 'hello' } }]
  }
)

const publishedSchema = Type.Object(
  {
    offset: Type.Integer({ minimum: 1, description: 'Position of the publication in the channel.', examples: [7] }),
    epoch: Type.String({
      description: 'The numbering of the channel that `offset` belongs to.',
      examples: ['Hx7iKuzdnZbr5s']
    }),
    duplicate: Type.Optional(
      Type.Boolean({
        description: '`true` if the idempotency key was used before: the original publication is returned.'
      })
    )
  },
  { $id: 'Published', description: 'The position of the publication (PROTOCOL.md, section 10).' }
)

export const publishTag: Tag = {
  name: 'Publications',
  description: 'Messages to all subscribers of a channel, and who these are.'
}

export const publishCalls = {
  publish: {
    tags: [publishTag.name],
    operationId: 'publish',
    summary: 'Publish to a channel',
    description:
      'Sends a message to all subscribers of a channel, on every instance. A token can publish to channels that match its `publish` patterns; for `client:…` and `session:…` a pattern must spell the prefix. If the response was lost, repeat the request with the same `idempotencyKey`.',
    security: needs('publish', 'admin'),
    body: refer(newPublicationSchema),
    response: { 200: refer(publishedSchema, 'The message is published.') },
    refusals: refusals([...ofBody])
  }
} as const

export const publishSchemas = [newPublicationSchema, publishedSchema]
