import { readdirSync } from 'node:fs'
import { AjvCompiler } from '@fastify/ajv-compiler'
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import Fastify from 'fastify'
import t from 'tap'
import { createLazyCompilers } from '../../src/http/lazy-schemas.js'
import { errorSchema } from '../../src/routes/common/operation.js'
import { startGateway } from '../helper/gateway.js'
import { documentOf, operationsOf } from '../routes/document.js'

/** Schemas are compiled when they are first used. */

/** Its serializer cannot be built. */
const broken = { type: 'object', properties: { a: { $ref: 'nowhere#' } } }

function serverWith(schema: object) {
  const server = Fastify({ schemaController: { compilersFactory: createLazyCompilers() } })
  server.post('/echo', { schema }, request => request.body)
  return server
}

t.test('accepts, refuses and filters as the schemas state', async t => {
  const schema = { type: 'object', required: ['a'], properties: { a: { type: 'number' } } }
  const server = serverWith({ body: schema, response: { 200: schema } })
  for (const round of ['first', 'second']) {
    const accepted = await server.inject({ method: 'POST', url: '/echo', payload: { a: 1, secret: 2 } })
    t.same([accepted.statusCode, accepted.payload], [200, '{"a":1}'], round)
    const refused = await server.inject({ method: 'POST', url: '/echo', payload: { a: 'x' } })
    t.match([refused.statusCode, refused.payload], [400, /a must be number/], round)
  }
})

t.test('a schema that does not compile fails its own requests, not the start', async t => {
  const server = serverWith({ response: { 200: broken } })
  await server.ready()
  t.equal((await server.inject({ method: 'POST', url: '/echo', payload: { a: 1 } })).statusCode, 500)
})

interface Operation {
  readonly operationId: string
  readonly response: Readonly<Record<string, { readonly content?: unknown }>>
  readonly [part: string]: unknown
}

/** The operations and the shared schemas that the routes declare. */
async function declared() {
  const files = readdirSync('src/routes', { recursive: true, encoding: 'utf8' })
  const modules = await Promise.all(
    files
      .filter(file => /(schema|calls)\.ts$/.test(file))
      .map(async file => Object.entries(await import(`../../src/routes/${file.replace(/\.ts$/, '.js')}`)))
  )
  const named = (suffix: RegExp) => modules.flat().flatMap(([name, value]) => (suffix.test(name) ? [value] : []))
  return {
    operations: named(/Calls$/).flatMap(calls => Object.values(calls as Record<string, Operation>)),
    schemas: named(/Schemas$/)
      .filter(Array.isArray)
      .flat() as { readonly $id: string }[]
  }
}

t.test('every schema of the gateway compiles', async t => {
  const { operations, schemas } = await declared()
  const documented = operationsOf(await documentOf(await startGateway(t))).map(({ operationId }) => operationId)
  t.same(operations.map(({ operationId }) => operationId).sort(), documented.sort(), 'no operation is left out')
  const shared = Object.fromEntries(
    [errorSchema as { readonly $id?: string }, ...schemas].map(each => [each.$id, each])
  )
  const validators = AjvCompiler()(shared as never, { customOptions: { coerceTypes: false } } as never)
  const serializers = SerializerSelector()(shared)
  for (const { operationId, response, ...parts } of operations) {
    for (const part of ['body', 'querystring', 'params']) {
      const schema = parts[part]
      if (schema !== undefined) t.doesNotThrow(() => validators({ schema } as never), `${operationId}: ${part}`)
    }
    for (const [status, schema] of Object.entries(response)) {
      if (schema.content !== undefined) continue
      t.doesNotThrow(() => serializers({ schema } as never), `${operationId}: ${status}`)
    }
  }
})
