import type { Test } from 'tap'
import { Compile } from 'typebox/schema'
import { type Body, type Gateway, testAdminToken } from '../helper/gateway.js'

/** The OpenAPI document of the HTTP API, and checks of responses against it. */

/** `METHOD /path` of every operation in the document. */
export function callsOf(document: Body): string[] {
  return Object.entries<object>(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map(method => `${method.toUpperCase()} ${path}`)
  )
}

export function operationsOf(document: Body): Body[] {
  return Object.values<Body>(document.paths).flatMap(item => Object.values<Body>(item))
}

export async function documentOf({ url }: Gateway): Promise<Body> {
  return (await fetch(`${url}/openapi.json`)).json()
}

interface Checker {
  /** Sends a request and checks the response against the document. */
  call(method: string, path: string, body?: unknown, token?: string): Promise<{ status: number; body: Body }>
  /** Operations that have returned success. */
  readonly seen: Set<string>
}

export function createChecker(t: Test, { url }: Gateway, document: Body): Checker {
  const seen = new Set<string>()
  const templates = Object.keys(document.paths).map(path => ({
    path,
    pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`)
  }))
  return {
    seen,
    async call(method, path, body, token = testAdminToken) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const answer = await fetch(url + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      const text = await answer.text()
      const { pathname } = new URL(url + path)
      // A literal path wins over a template: /audit/verify does not match /audit/{id}.
      const template =
        templates.find(each => each.path === pathname) ?? templates.find(each => each.pattern.test(pathname))
      const name = `${method} ${template?.path}`
      const response = document.paths[template?.path ?? '']?.[method.toLowerCase()]?.responses[answer.status]
      t.ok(response, `${name} documents ${answer.status}`)
      if (answer.status < 300) seen.add(name)
      const type = answer.headers.get('content-type')?.split(';')[0]
      if (response?.content === undefined) {
        t.equal(text, '', `${name} ${answer.status} has no body`)
        return { status: answer.status, body: undefined }
      }
      t.ok(Object.keys(response.content).includes(type ?? ''), `${name} ${answer.status} has a documented type`)
      if (type !== 'application/json') return { status: answer.status, body: text }
      const value = JSON.parse(text)
      const check = Compile({ ...response.content[type].schema, components: document.components })
      t.same(check.Errors(value)[1], [], `${name} ${answer.status} matches its schema`)
      return { status: answer.status, body: value }
    }
  }
}

/** `METHOD /path` of every route of the server. HEAD is left out: it follows GET. */
export function routesOf({ app }: Gateway): string[] {
  const parents: string[] = []
  return app.server
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap(line => {
      const [, indent = '', name = '', list = ''] = /^([│ ]*)[├└]── (\S*) \(([A-Z, ]+)\)$/.exec(line) ?? []
      const depth = indent.length / 4
      parents[depth] = name
      const path = parents.slice(0, depth + 1).join('')
      return list
        .split(', ')
        .filter(method => method !== 'HEAD' && method !== '')
        .map(method => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
    })
}
