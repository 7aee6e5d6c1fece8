/** @returns the code of a failed connection in Node, such as `ECONNREFUSED`; undefined without one */
export function codeOf(error: unknown): string | undefined {
  const { code } = Object(error) as { readonly code?: unknown }
  return typeof code === 'string' ? code : undefined
}
