import type { FastifySchemaValidationError } from 'fastify'

/** Why a request does not match its schema, for a reader who does not know JSON Schema. */

/** Characters of a member's name that an error quotes. */
const maxNameChars = 64

function textMember(of: unknown, name: string): string | undefined {
  if (typeof of !== 'object' || of === null) return undefined
  const value: unknown = Reflect.get(of, name)
  return typeof value === 'string' ? value : undefined
}

/** Description of the values of this schema, with an example, if the schema has one. */
function describe(schema: unknown): string {
  const described = textMember(schema, 'description')?.replace(/\.$/, '')
  const examples: unknown = typeof schema === 'object' && schema !== null ? Reflect.get(schema, 'examples') : undefined
  const example = Array.isArray(examples) && typeof examples[0] === 'string' ? `for example ${examples[0]}` : undefined
  const parts = [described, example].filter(part => part !== undefined)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

function explain(error: FastifySchemaValidationError): string {
  switch (error.keyword) {
    case 'pattern':
      return `is not valid${describe('parentSchema' in error ? error.parentSchema : undefined)}`
    case 'additionalProperties':
      return `${error.message}: ${JSON.stringify(String(error.params['additionalProperty']).slice(0, maxNameChars))}`
    default:
      return error.message ?? 'is not valid'
  }
}

/**
 * Ajv's own messages show a regular expression, or do not name the unknown member. Needs ajv's option `verbose`.
 * @param part  of the request: `body`, `params`, `querystring`
 */
export function formatSchemaErrors(errors: readonly FastifySchemaValidationError[], part: string): Error {
  const texts = errors.map(error => `${part}${error.instancePath} ${explain(error)}`)
  return new Error(texts.join(', '))
}
