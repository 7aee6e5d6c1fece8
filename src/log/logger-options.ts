import type { LoggerOptions } from 'pino'
import { createErrorSerializer } from './error-serializer.js'
import type { Redactor } from './redactor.js'

/** Members that are never logged. */
const redact = {
  paths: ['secret', 'token', 'key', 'authorization', '*.secret', '*.token', '*.key', 'req.headers'],
  censor: '[secret]'
}

/** The logged members of a request. */
interface LoggedRequest {
  readonly method?: string
  readonly routeOptions?: { readonly url?: string | undefined }
  readonly host?: string
  readonly ip?: string
  readonly socket?: { readonly remotePort?: number }
}

/** The route replaces the path, which may contain a hwid, or a secret by mistake. */
function serializeRequest({ method, routeOptions, host, ip, socket }: LoggedRequest): object {
  return {
    method,
    route: routeOptions?.url ?? 'none',
    host,
    remoteAddress: ip,
    remotePort: socket?.remotePort
  }
}

/** Options of the gateway's logger: no line contains a secret, a library's whole error, or a hwid. */
export function loggerOptions(level: string, redactor: Redactor): LoggerOptions {
  const serialize = createErrorSerializer(redactor.redact)
  // A cause need not be an error.
  const serializeErrors = (value: unknown) => (value instanceof Error ? serialize(value) : value)
  return {
    level,
    redact,
    serializers: { err: serialize, error: serializeErrors, cause: serializeErrors, req: serializeRequest }
  }
}
