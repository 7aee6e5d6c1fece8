import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { ApiError } from '../errors.js'
import { scanJsonText } from '../protocol/json-scan.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import type { ReadBody } from './body-reader.js'

/** JSON bodies of the HTTP API: the same rules as for frames (PROTOCOL §2.3), where JSON.parse is more lenient. */

function isByteOrderMark(body: Buffer): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf
}

/**
 * Parses a JSON body.
 * @param depth  allowed nesting levels; the outermost value is the first
 * @returns undefined for an empty body
 * @throws ApiError BAD_REQUEST
 */
export function parseJsonBody(body: Buffer, depth: number): unknown {
  if (body.length === 0) return undefined
  if (isByteOrderMark(body)) {
    throw new ApiError('BAD_REQUEST', 'the body begins with a byte order mark: send UTF-8 without it')
  }
  if (!isUtf8(body)) throw new ApiError('BAD_REQUEST', 'the body is not valid UTF-8')
  const text = body.toString('utf8')
  try {
    scanJsonText(text, depth)
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof ProtocolError) throw new ApiError('BAD_REQUEST', `the body: ${error.message}`)
    if (error instanceof SyntaxError) throw new ApiError('BAD_REQUEST', 'the body is not valid JSON')
    throw error
  }
}

/** @returns the charset of a content type, shortened, unless it is UTF-8 or a part of it */
function foreignCharset(contentType = ''): string | undefined {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(contentType)?.[1]
  if (charset === undefined || /^(utf-?8|us-ascii|ascii)$/i.test(charset)) return undefined
  return charset.slice(0, maxShownCharset)
}

/** Characters of a charset that an error repeats. */
const maxShownCharset = 64

/**
 * Reads JSON bodies. Many programs send `content-type: application/json` with every request, including a DELETE without
 * a body, so an empty body is accepted where none is expected.
 * @param depth  allowed nesting levels
 */
export function readJsonBodies(app: FastifyInstance, readBody: ReadBody, depth: number): void {
  // Fastify would parse text/plain, and the error would then concern the parsed text instead of the media type.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', (request, payload, done) => {
    // The body of a request to a path that does not exist is never read.
    if (request.is404) return done(null, undefined)
    const charset = foreignCharset(request.headers['content-type'])
    if (charset !== undefined) {
      return done(new ApiError('UNSUPPORTED_MEDIA_TYPE', `charset ${charset}: send UTF-8`))
    }
    readBody(request, payload, (error, body) => {
      if (error !== null || body === undefined) return done(error)
      let value: unknown
      try {
        value = parseJsonBody(body, depth)
      } catch (cause) {
        return done(cause as Error)
      }
      done(null, value)
    })
  })
}
