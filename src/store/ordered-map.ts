/**
 * A Map with constant-time access to its oldest entry. The iterators of a Map skip entries removed at its front, so
 * `map.keys().next()` is O(n) in a Map whose oldest entries are removed.
 */
export class OrderedMap<K, V> implements Iterable<readonly [K, V]> {
  readonly #map = new Map<K, V>()
  /** An iterator past the oldest entry. */
  #cursor = this.#map.keys()
  /** Of a key that may itself be undefined. */
  #oldest: { readonly key: K } | undefined

  get size(): number {
    return this.#map.size
  }

  get(key: K): V | undefined {
    return this.#map.get(key)
  }

  has(key: K): boolean {
    return this.#map.has(key)
  }

  /** An existing key keeps its place, as in a Map. */
  set(key: K, value: V): void {
    this.#map.set(key, value)
  }

  delete(key: K): boolean {
    if (this.#oldest?.key === key) this.#oldest = undefined
    return this.#map.delete(key)
  }

  /** The entry whose key was added first; undefined if there is none. */
  get oldest(): readonly [K, V] | undefined {
    this.#oldest ??= this.#next()
    if (this.#oldest === undefined) return undefined
    const { key } = this.#oldest
    return [key, this.#map.get(key) as V]
  }

  deleteOldest(): void {
    const { oldest } = this
    if (oldest !== undefined) this.delete(oldest[0])
  }

  /** Entries that the cursor has passed are removed, or the oldest. At its end it does not see later entries. */
  #next(): { readonly key: K } | undefined {
    let step = this.#cursor.next()
    if (step.done) {
      this.#cursor = this.#map.keys()
      step = this.#cursor.next()
    }
    return step.done ? undefined : { key: step.value }
  }

  [Symbol.iterator](): Iterator<readonly [K, V]> {
    return this.#map.entries()
  }
}
