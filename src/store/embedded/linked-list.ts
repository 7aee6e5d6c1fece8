/** The neighbours of an item in its list. */
export interface Linked<T> {
  previous: T | undefined
  next: T | undefined
}

/** Items in an order. Each item is in at most one list, so that it is moved without a search. */
export class LinkedList<T extends Linked<T>> {
  #first: T | undefined
  #last: T | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): T | undefined {
    return this.#first
  }

  /** Appends an item that is not in a list. */
  push(item: T): void {
    item.previous = this.#last
    item.next = undefined
    if (this.#last === undefined) this.#first = item
    else this.#last.next = item
    this.#last = item
    this.#size++
  }

  /** Removes an item of this list. */
  remove(item: T): void {
    const { previous, next } = item
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    item.previous = undefined
    item.next = undefined
    this.#size--
  }

  /** Moves an item of this list to its end. */
  moveToEnd(item: T): void {
    if (item === this.#last) return
    this.remove(item)
    this.push(item)
  }

  /** From the first to the last. The item that was returned last may be removed meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (let item = this.#first, next = item?.next; item !== undefined; item = next) {
      next = item.next
      yield item
    }
  }
}
