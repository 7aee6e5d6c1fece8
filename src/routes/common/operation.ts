import Type from 'typebox'
import { type ApiErrorCode, apiErrors } from '../../errors.js'
import type { Scope } from '../../registry/tokens.js'
import { oneOf, refer } from './schema.js'

/** Shared parts of operations: required scopes and error responses. */

export const errorSchema = Type.Object(
  {
    code: Type.String({
      description: 'Error code, from the table of errors. Handle an unknown code by its HTTP status.',
      examples: ['NOT_FOUND']
    }),
    message: Type.String({
      description: 'Explanation for people. It can change; programs use `code`.',
      examples: [apiErrors.NOT_FOUND.message]
    }),
    index: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Position of the refused item, from 0. Only if a list was sent.' })
    ),
    outcome: Type.Optional(
      oneOf(
        ['unknown', 'unsent'],
        'With `UNAVAILABLE` and `CALL_TIMEOUT`: whether the request may have taken effect. `unsent`: it certainly did not. `unknown`: it may have.'
      )
    ),
    error: Type.Optional(
      Type.Object(
        { code: Type.String({ description: 'Its code.' }), message: Type.String({ description: 'Its message.' }) },
        { description: 'With `CALL_FAILED`: the error that the receiver answered.' }
      )
    )
  },
  { $id: 'Error', description: 'An error response.' }
)

/** Codes that only `GET /v1/ws` or `POST /v1/calls` send. */
const specialCodes: readonly string[] = ['UNSUPPORTED_PROTOCOL', 'DRAINING', 'NO_RECEIVER'] satisfies ApiErrorCode[]

type Status = Exclude<(typeof apiErrors)[ApiErrorCode]['status'], 405>

function codesOf(status: Status) {
  return Object.entries(apiErrors).filter(([code, error]) => error.status === status && !specialCodes.includes(code))
}

const retryAfter = { 'retry-after': { type: 'integer', description: 'Seconds to wait before the next attempt.' } }
const headers: Partial<Record<Status, Record<string, object>>> = {
  401: { 'www-authenticate': { type: 'string', description: 'Always `Bearer`.' } },
  429: retryAfter,
  503: retryAfter
}

/** Statuses that every operation with a token can return. */
const commonStatuses = [401, 403, 429, 500, 503] as const
/** Why a record cannot be read or changed; `DELETE` still removes it. */
export const unreadable = {
  409: 'its record does not open: its master key is missing, or it was changed in the store'
} as const
/** Statuses of an operation with a request body. */
export const ofBody = [400, 413, 415] as const

/**
 * Error responses of an operation, in addition to the common ones.
 * @param reasons  the meaning of a status here, if the table of errors is too general
 */
export function refusals<const More extends Status>(
  more: readonly More[],
  reasons: Partial<Record<More, string>> = {}
): Record<More | (typeof commonStatuses)[number], ReturnType<typeof refer<typeof errorSchema>>> {
  const statuses = [...commonStatuses, ...more].sort((a, b) => a - b)
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
  ) as Record<More | (typeof commonStatuses)[number], ReturnType<typeof refer<typeof errorSchema>>>
}

/** A response without a body. */
export function noContent(description: string) {
  return Type.Unsafe<undefined>({ type: 'null', description })
}

type Security = readonly { readonly [name: string]: readonly string[] }[]

/** A token needs any one of the scopes. */
export function needs(...scopes: Scope[]): Security {
  return scopes.map(scope => ({ bearer: [scope] }))
}
