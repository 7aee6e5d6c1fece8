import { StoreUnavailable } from '../store.js'

/** An answer, if it comes within `limitMs`. @throws StoreUnavailable else; what was asked for may still happen */
export async function within<T>(limitMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new StoreUnavailable(new Error(`no answer within ${limitMs} ms`))), limitMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
