import { readFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { apiErrors } from '../errors.js'
import type { Scope } from '../registry/tokens.js'
import { clientSchemas } from './admin/clients/schema.js'
import { importSchemas } from './admin/imports/schema.js'
import { licenseSchemas } from './admin/licenses/schema.js'
import { presenceSchemas } from './admin/presence/schema.js'
import { sessionSchemas } from './admin/sessions/schema.js'
import { tokenSchemas } from './admin/tokens/schema.js'
import { errorSchema } from './common/operation.js'
import { healthSchemas } from './health/schema.js'
import { publishSchemas } from './publish/schema.js'
import { ticketSchemas } from './tickets/schema.js'

/** `GET /openapi.json`: the HTTP API describes itself. What is in it comes from the routes' schemas. */

declare module 'fastify' {
  interface FastifySchema {
    /** How a call is refused, for the document: those answers come from the error handler, not from the route. */
    refusals?: object
  }
}

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const sharedSchemas = [
  errorSchema,
  ...clientSchemas,
  ...licenseSchemas,
  ...importSchemas,
  ...sessionSchemas,
  ...tokenSchemas,
  ...ticketSchemas,
  ...publishSchemas,
  ...presenceSchemas,
  ...healthSchemas
]

const scopes: Readonly<Record<Scope, string>> = {
  admin: 'everything',
  read: 'every `GET` under `/v1/admin`',
  tickets: '`POST /v1/tickets`, within the token’s own lists',
  publish: '`POST /v1/publish`, within the token’s own lists'
}

const tags = [
  { name: 'Clients', description: 'Who may connect, with which rights and keys.' },
  { name: 'Licenses', description: 'Who may use what: keys, hwids, bounds and dates.' },
  { name: 'Imports', description: 'Many licenses, all or nothing: start, add chunks, commit.' },
  { name: 'Sessions', description: 'Who is on.' },
  { name: 'Tickets', description: 'Short-lived credentials for web pages and game servers.' },
  { name: 'Publications', description: 'What is told to all who have joined a channel, and who they are.' },
  { name: 'Tokens', description: 'API tokens: who may make calls here.' },
  { name: 'Audit log', description: 'Who did what when, hash-chained from the first entry.' },
  { name: 'Upkeep', description: 'The change of the master key.' },
  { name: 'Health', description: 'For whoever watches over an instance. Without a token, and without a rate limit.' }
]

const errorRows = Object.entries(apiErrors).map(
  ([code, { status, message }]) => `| ${status} | \`${code}\` | ${message} |`
)

const description = `
Clients, keys, licenses, tickets and who is on. The messages themselves do not pass here: they go over the WebSocket \`GET /v1/ws\` or the long
poll under \`/v1/bridge\`, in signed frames that PROTOCOL.md describes.

- Bodies and answers are JSON. Members of a body that are not described are refused, never dropped.
- Times are ISO 8601; in answers always UTC.
- A pattern is literal characters, then at most one final \`*\`, which stands for any rest.
- A list comes in pages: \`limit\` (1 to 1,000) and \`after\`. The answer is \`{"items": […], "next"?}\`; \`next\` is the \`after\` of the next call, and is
  missing on the last page.
- Beyond loopback, calls with a token are refused over plain HTTP, unless a trusted proxy says that its caller used HTTPS.

## Errors

An error is \`{"code", "message"}\` with the right status; where a list was sent, \`index\` may say which of it is refused.

| status | code | meaning |
|---|---|---|
${errorRows.join('\n')}
`.trim()

const bearer = [
  'The admin token, or an API token with a scope that the call names.',
  '',
  '| scope | allows |',
  '|---|---|',
  ...Object.entries(scopes).map(([scope, allows]) => `| \`${scope}\` | ${allows} |`)
].join('\n')

async function openapi(app: FastifyInstance): Promise<void> {
  for (const schema of sharedSchemas) app.addSchema(schema)
  await app.register(swagger, {
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
      tags,
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: bearer } } }
    },
    transform: ({ schema, url }) => ({
      schema: { ...schema, response: { ...(schema?.response as object | undefined), ...schema?.refusals } },
      url
    }),
    // Pages, this document and the socket have no tags.
    hideUntagged: true,
    convertConstToEnum: false,
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json['$id'] ?? `def-${i}`) }
  })

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
