import type { FastifyPluginAsync } from 'fastify'
import { asyncApiDocument } from './document.js'

/** `GET /asyncapi.json`: the AsyncAPI 3 document of the wire. @param version  of the gateway */
export function asyncApiRoutes(version: string): FastifyPluginAsync {
  return async app => {
    let text: string | undefined
    app.get('/asyncapi.json', (_request, reply) => {
      text ??= JSON.stringify(asyncApiDocument(version))
      return reply
        .type('application/json; charset=utf-8')
        .header('x-content-type-options', 'nosniff')
        .header('cache-control', 'no-cache')
        .send(text)
    })
  }
}
