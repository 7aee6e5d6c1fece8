import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { TSchema } from 'typebox'

/** A group of operations in the API reference. */
export interface Tag {
  readonly name: string
  readonly description: string
}

/** A part of the HTTP API: its place in the reference, its named schemas, and its routes. */
export interface Resource<Dependencies> {
  readonly tags: readonly Tag[]
  /** Schemas with an `$id`. The routes refer to them, and the reference shows each once. */
  readonly schemas: readonly TSchema[]
  routes(dependencies: Dependencies): FastifyPluginAsyncTypebox
}
