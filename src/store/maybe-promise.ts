/**
 * A value that is available now or later. The embedded store answers synchronously, and each `await` would cost a
 * message a turn of the microtask queue.
 */
export type MaybePromise<T> = T | Promise<T>

/**
 * Continues with a value as soon as it is available. @returns the result of `next`, synchronously if the value was
 * available
 */
export function whenReady<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/**
 * Runs an operation that may fail, synchronously or later.
 * @param onError  returns a replacement for its result, or throws
 */
export function recoverFrom<T, R>(
  operation: () => MaybePromise<T>,
  onError: (error: unknown) => MaybePromise<R>
): MaybePromise<T | R> {
  try {
    const result = operation()
    return result instanceof Promise ? result.catch(onError) : result
  } catch (error) {
    return onError(error)
  }
}

/** Runs an operation that ends synchronously or later, then `onEnd`, whether or not it failed. */
export function whenEnded<T>(operation: () => MaybePromise<T>, onEnd: () => void): MaybePromise<T> {
  let result: MaybePromise<T>
  try {
    result = operation()
  } catch (error) {
    onEnd()
    throw error
  }
  if (result instanceof Promise) return result.finally(onEnd)
  onEnd()
  return result
}
