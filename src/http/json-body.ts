import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { ApiError } from '../errors.js'
import { scanJsonText } from '../protocol/json-scan.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import type { ReadBody } from './body-reader.js'

/** JSON bodies of the HTTP API: they follow the rules of frames (PROTOCOL §2.3), which are stricter than JSON.parse. */

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

/** Characters of a header's value that an error quotes. */
const maxShownChars = 64
const charsets = /;\s*charset\s*=\s*("[^"]*"|[^;\s]*)/gi

function unsupported(what: string, value: string, toDo: string): ApiError {
  return new ApiError('UNSUPPORTED_MEDIA_TYPE', `${what} ${value.slice(0, maxShownChars) || '(empty)'}: ${toDo}`)
}

/** Message headers that Node drops when they are repeated. */
function isRepeated(name: string, rawHeaders: readonly string[]): boolean {
  let times = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === name) times++
  return times > 1
}

/**
 * Refuses bodies that a proxy could parse differently from the gateway: only uncompressed JSON in UTF-8 is accepted.
 */
function formFault({ headers, rawHeaders }: IncomingMessage): ApiError | undefined {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    return unsupported('content-encoding', encoding, 'send the body uncompressed')
  }
  const contentType = headers['content-type'] ?? ''
  if (isRepeated('content-type', rawHeaders)) return unsupported('content-type', contentType, 'sent twice')
  const found = [...contentType.matchAll(charsets)].map(([, charset = '']) => charset.replaceAll('"', ''))
  const foreign = found.find(charset => !/^utf-?8$/i.test(charset))
  if (foreign !== undefined) return unsupported('charset', foreign, 'send UTF-8')
  return found.length > 1 ? unsupported('charset', found.join(' '), 'name it once') : undefined
}

/**
 * Reads JSON bodies. Many programs send `content-type: application/json` with every request, including a DELETE without
 * a body, so an empty body is accepted where none is expected.
 * @param depth  allowed nesting levels
 */
export function readJsonBodies(app: FastifyInstance, readBody: ReadBody, depth: number): void {
  // Fastify would parse text/plain, and the error would then concern the parsed text instead of the media type.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', (request, payload, done) => {
    // Reached only for a path that does not exist, whose body is never read.
    if (request.is404) return done(null, undefined)
    const fault = formFault(request.raw)
    if (fault !== undefined) return done(fault)
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
