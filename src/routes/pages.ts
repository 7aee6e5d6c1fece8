import { readFileSync } from 'node:fs'
import type { FastifyPluginAsync } from 'fastify'

/** The live demo with the browser's client: a few files, read once at the start. */

const clientPath = '/demo/countersign-client.js'

const files = {
  '/demo': { name: 'demo.html', type: 'text/html; charset=utf-8' },
  '/demo/demo.js': { name: 'demo.js', type: 'text/javascript; charset=utf-8' },
  '/demo/demo-elements.js': { name: 'demo-elements.js', type: 'text/javascript; charset=utf-8' },
  '/demo/demo-frames.js': { name: 'demo-frames.js', type: 'text/javascript; charset=utf-8' },
  '/demo/demo-interception.js': { name: 'demo-interception.js', type: 'text/javascript; charset=utf-8' },
  '/demo/demo.css': { name: 'demo.css', type: 'text/css; charset=utf-8' },
  [clientPath]: { name: 'countersign-client.js', type: 'text/javascript; charset=utf-8' }
} as const

/** Pages of other origins import the client from a gateway (docs/web.md). */
const openToAllOrigins = { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' }

const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** @param folder  of the built pages, ending in `/` */
export function pageRoutes(folder: URL): FastifyPluginAsync {
  return async app => {
    for (const [path, { name, type }] of Object.entries(files)) {
      const body = readFileSync(new URL(name, folder))
      const headers = path === clientPath ? openToAllOrigins : {}
      app.get(path, (_request, reply) =>
        reply
          .type(type)
          .headers(headers)
          .header('content-security-policy', contentSecurityPolicy)
          .header('x-content-type-options', 'nosniff')
          .header('referrer-policy', 'no-referrer')
          .header('cache-control', 'no-cache')
          .send(body)
      )
    }
    app.get('/', (_request, reply) => reply.redirect('/demo'))
  }
}
