import { StoreUnavailable } from '../errors.js'

/** The reply, if it comes within `limitMs`. @throws StoreUnavailable otherwise, with an unknown outcome */
export async function within<T>(limitMs: number, reply: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new StoreUnavailable(new Error(`no reply within ${limitMs} ms`))), limitMs)
  })
  try {
    return await Promise.race([reply, timeout])
  } finally {
    clearTimeout(timer)
  }
}
