import { readFileSync } from 'node:fs'
import swaggerUi, { type FastifySwaggerUiOptions } from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** `GET /docs`: the API reference, where a person can try requests. This gateway serves every file. */

/** `data:` is for the icons in Swagger UI's own style sheet. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

function readAsset(folder: URL, name: string): string {
  return readFileSync(new URL(name, folder), 'utf8')
}

function swaggerUiOptions(folder: URL): FastifySwaggerUiOptions {
  return {
    routePrefix: '/docs',
    staticCSP: contentSecurityPolicy,
    theme: {
      title: 'Countersign HTTP API',
      css: [{ filename: 'docs.css', content: readAsset(folder, 'docs.css') }],
      js: [{ filename: 'docs.js', content: readAsset(folder, 'docs.js') }],
      favicon: [
        {
          ...{ filename: 'favicon.svg', rel: 'icon', type: 'image/svg+xml', sizes: 'any' },
          content: readAsset(folder, 'favicon.svg')
        }
      ]
    },
    uiConfig: {
      // Without the top bar, which could load other documents.
      layout: 'BaseLayout',
      deepLinking: true,
      docExpansion: 'list',
      filter: true,
      displayRequestDuration: true,
      defaultModelsExpandDepth: 0,
      // A token is kept in the page's memory only, until a reload.
      persistAuthorization: false
    }
  }
}

export interface DocsOptions {
  /** Folder with docs.css, docs.js and favicon.svg, ending in `/`. */
  readonly folder: URL
}

async function docs(app: FastifyInstance, { folder }: DocsOptions): Promise<void> {
  await app.register(async scope => {
    scope.addHook('onSend', async (_request, reply) => {
      reply.headers({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' })
    })
    await scope.register(swaggerUi, swaggerUiOptions(folder))
  })
}

export default fp(docs, { name: 'countersign-docs', fastify: '5.x', dependencies: ['countersign-openapi'] })
