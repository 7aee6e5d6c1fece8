import { readFileSync } from 'node:fs'
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { apiErrors } from '../errors.js'
import type { Scope } from '../registry/tokens.js'
import { errorSchema } from './common/operation.js'
import type { Resource, Tag } from './common/resource.js'

/** `GET /openapi.json`: the OpenAPI document of the HTTP API, generated from the schemas of its routes. */

declare module 'fastify' {
  interface FastifySchema {
    /** Error responses by status. For the document only: the error handler sends them, not the route. */
    refusals?: object
  }
}

/** Of the gateway. */
export const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const scopes: Readonly<Record<Scope, string>> = {
  admin: 'everything',
  read: 'every `GET` under `/v1/admin`',
  tickets: '`POST /v1/tickets`, within the lists of the token',
  publish: '`POST /v1/publish`, within the `publish` patterns of the token',
  calls: '`POST /v1/calls` and `GET /v1/sessions`, within the `call` patterns of the token'
}

const errorRows = Object.entries(apiErrors).map(
  ([code, { status, message }]) => `| ${status} | \`${code}\` | ${message} |`
)

const description = `
Manages clients, keys, licenses, tickets and live sessions. The messages themselves are not part of this API: they are signed frames over the WebSocket
\`GET /v1/ws\` or the long poll under \`/v1/bridge\`, which PROTOCOL.md specifies and \`/asyncapi.json\` lists.

- Request and response bodies are JSON. A member of a request body that is not described is refused, never ignored.
- Times are ISO 8601. In responses they are in UTC.
- A pattern is literal characters, then at most one final \`*\`, which matches any rest.
- Lists are paged by \`limit\` (1 to 1,000) and \`after\`. The response is \`{"items": […], "next"?}\`. Pass \`next\` as \`after\` to get the next page; the last
  page has no \`next\`.
- Except on loopback, requests with a token need HTTPS, either directly or through a trusted proxy.

## Errors

An error is \`{"code", "message"}\` with the matching status. If a list was sent, \`index\` gives the position of the refused item. With \`UNAVAILABLE\`,
\`outcome\` is \`unsent\` if the request certainly had no effect, else \`unknown\`.

| status | code | meaning |
|---|---|---|
${errorRows.join('\n')}
`.trim()

const bearer = [
  'The admin token, or an API token with a scope that the operation names.',
  '',
  '| scope | allows |',
  '|---|---|',
  ...Object.entries(scopes).map(([scope, allows]) => `| \`${scope}\` | ${allows} |`)
].join('\n')

function swaggerOptions(tags: readonly Tag[]): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Countersign HTTP API',
        version,
        summary: 'A gateway for signed, replay-proof, two-way messages.',
        description,
        license: { name: 'MIT', identifier: 'MIT' }
      },
      servers: [{ url: '/' }],
      tags: tags.map(tag => ({ ...tag })),
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: bearer } } }
    },
    transform: ({ schema, url }) => ({
      schema: { ...schema, response: { ...(schema?.response as object | undefined), ...schema?.refusals } },
      url
    }),
    // The pages, this document and the WebSocket have no tags.
    hideUntagged: true,
    convertConstToEnum: false,
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json['$id'] ?? `def-${i}`) }
  }
}

export interface OpenApiOptions {
  /** The parts of the HTTP API, in the order of the reference. */
  readonly resources: readonly Pick<Resource<never>, 'tags' | 'schemas'>[]
}

/** Adds the schemas of all resources and serves the document. Register it before the routes it describes. */
async function openapi(app: FastifyInstance, { resources }: OpenApiOptions): Promise<void> {
  app.addSchema(errorSchema)
  for (const schema of resources.flatMap(({ schemas }) => schemas)) app.addSchema(schema)
  await app.register(swagger, swaggerOptions(resources.flatMap(({ tags }) => tags)))

  let text: string | undefined
  app.get('/openapi.json', (_request, reply) => {
    text ??= JSON.stringify(app.swagger())
    return reply
      .type('application/json; charset=utf-8')
      .header('x-content-type-options', 'nosniff')
      .header('cache-control', 'no-cache')
      .send(text)
  })
}

export default fp(openapi, { name: 'countersign-openapi', fastify: '5.x' })
