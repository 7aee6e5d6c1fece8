import Type from 'typebox'
import { type ApiErrorCode, apiErrors } from '../../errors.js'
import type { Scope } from '../../registry/tokens.js'
import { refer } from './schema.js'

/** What the descriptions of calls share: who may call, and how a call is refused. */

export const errorSchema = Type.Object(
  {
    code: Type.String({
      description: 'For programs: one of the table of errors. Take an unknown one by its status.',
      examples: ['NOT_FOUND']
    }),
    message: Type.String({ description: 'For people.', examples: [apiErrors.NOT_FOUND.message] }),
    index: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Which of a list is refused, from 0. Only where a list was sent.' })
    )
  },
  { $id: 'Error', description: 'A refusal.' }
)

/** Codes that only `GET /v1/ws` answers with. */
const ofTheSocket: readonly string[] = ['UNSUPPORTED_PROTOCOL', 'DRAINING'] satisfies ApiErrorCode[]

type Status = Exclude<(typeof apiErrors)[ApiErrorCode]['status'], 405>

function codesOf(status: Status) {
  return Object.entries(apiErrors).filter(([code, error]) => error.status === status && !ofTheSocket.includes(code))
}

const headers: Partial<Record<Status, Record<string, object>>> = {
  401: { 'www-authenticate': { type: 'string', description: 'Always `Bearer`.' } },
  429: { 'retry-after': { type: 'integer', description: 'Seconds until the next try.' } }
}

/** Statuses of any call with a token. */
const always = [401, 403, 429, 500, 503] as const
/** Statuses of a call that takes a body. */
export const ofBody = [400, 413, 415] as const

/**
 * How a call is refused, besides what holds for all calls.
 * @param reasons  what a status means here, where the table of errors is too general
 */
export function refusals<const More extends Status>(
  more: readonly More[],
  reasons: Partial<Record<More, string>> = {}
): Record<More | (typeof always)[number], ReturnType<typeof refer<typeof errorSchema>>> {
  const statuses = [...always, ...more].sort((a, b) => a - b)
  return Object.fromEntries(
    statuses.map(status => {
      const reason: string | undefined = (reasons as Partial<Record<Status, string>>)[status]
      const codes = codesOf(status)
      const text =
        reason === undefined
          ? codes.map(([code, { message }]) => `\`${code}\`: ${message}`).join('. ')
          : `\`${codes[0]?.[0]}\`: ${reason}`
      const header = headers[status]
      return [status, { ...refer(errorSchema, `${text}.`), ...(header === undefined ? {} : { headers: header }) }]
    })
  ) as Record<More | (typeof always)[number], ReturnType<typeof refer<typeof errorSchema>>>
}

/** The answer of a call that has nothing to say. */
export function nothing(description: string) {
  return Type.Unsafe<undefined>({ type: 'null', description })
}

type Security = readonly { readonly [name: string]: readonly string[] }[]

/** Whoever has one of the scopes may call. */
export function needs(...scopes: Scope[]): Security {
  return scopes.map(scope => ({ bearer: [scope] }))
}
