/**
 * ioredis attaches the failed command with its arguments to its errors. Arguments may contain secrets, such as the
 * password of AUTH, and errors are logged.
 */
export function withoutCommand<T>(error: T): T {
  if (error instanceof Error) for (const name of ['command', 'args']) Reflect.deleteProperty(error, name)
  return error
}
