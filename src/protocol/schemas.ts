import type { Static, TSchema } from 'typebox'
import { downstream } from './downstream-schemas.js'
import { attributesSchema } from './schema-parts.js'
import { upstream } from './upstream-schemas.js'

/**
 * All messages of the protocol and their types. Only the build reads the schemas at run time:
 * `scripts/generate-checks.mjs` generates `checks.generated.ts`, plain code without typebox, for gateways and browsers.
 */

export { attributesSchema, downstream, upstream }

type MessageOf<Table extends Record<string, TSchema>> = { [K in keyof Table]: Static<Table[K]> }

export type UpstreamMessages = MessageOf<typeof upstream>
export type DownstreamMessages = MessageOf<typeof downstream>
export type Upstream = UpstreamMessages[keyof UpstreamMessages]
export type Downstream = DownstreamMessages[keyof DownstreamMessages]
export type Attributes = Static<typeof attributesSchema>
