import { readFileSync } from 'node:fs'
import type { FastifyPluginAsync } from 'fastify'

/** The demo page with the browser's client, and the reference of the HTTP API: a few files, read once at the start. */

const files = {
  '/demo': { name: 'demo.html', type: 'text/html; charset=utf-8' },
  '/demo/demo.js': { name: 'demo.js', type: 'text/javascript; charset=utf-8' },
  '/demo/demo.css': { name: 'demo.css', type: 'text/css; charset=utf-8' },
  '/demo/countersign-client.js': { name: 'countersign-client.js', type: 'text/javascript; charset=utf-8' },
  '/docs': { name: 'docs.html', type: 'text/html; charset=utf-8' },
  '/docs/docs.js': { name: 'docs.js', type: 'text/javascript; charset=utf-8' },
  '/docs/docs-schema.js': { name: 'docs-schema.js', type: 'text/javascript; charset=utf-8' },
  '/docs/docs-text.js': { name: 'docs-text.js', type: 'text/javascript; charset=utf-8' },
  '/docs/docs.css': { name: 'docs.css', type: 'text/css; charset=utf-8' }
} as const

const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** @param folder  where the build has put the pages, ending in `/` */
export function pageRoutes(folder: URL): FastifyPluginAsync {
  return async app => {
    for (const [path, { name, type }] of Object.entries(files)) {
      const body = readFileSync(new URL(name, folder))
      app.get(path, (_request, reply) =>
        reply
          .type(type)
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
