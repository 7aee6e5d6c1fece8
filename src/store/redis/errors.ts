/**
 * ioredis puts the failed command, with its arguments, on its errors. Arguments may hold secrets, the password of AUTH
 * first of all, and errors go to logs.
 */
export function withoutCommand<T>(error: T): T {
  if (error instanceof Error) for (const name of ['command', 'args']) Reflect.deleteProperty(error, name)
  return error
}
