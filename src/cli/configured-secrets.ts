import type { Config } from '../config/load.js'

/** The password of a Redis URL, as it is written and as it is sent. */
export function passwordsOf(url: string): string[] {
  const [, written] = /:\/\/[^:@/]*:([^@/]*)@/.exec(url) ?? []
  if (written === undefined) return []
  try {
    return [written, decodeURIComponent(written)]
  } catch {
    return [written]
  }
}

/** The secrets of the configuration, in the forms in which they could get into a text. */
export function configuredSecrets({
  store,
  masterKeys = [],
  adminToken
}: Pick<Config, 'store' | 'masterKeys' | 'adminToken'>): string[] {
  const keys = masterKeys.map(key => Buffer.from(key))
  return [
    ...keys.flatMap(key => [key.toString('base64'), key.toString('base64url'), key.toString('hex')]),
    ...(adminToken === undefined ? [] : [adminToken]),
    ...(store.kind === 'redis' ? passwordsOf(store.url) : [])
  ]
}
