/**
 * Numbers 1, 2, 3 … in `data.n`, at offsets without a gap.
 * @param onFailure  called with what is wrong
 */
export function createLedger(name, onFailure) {
  const ledger = { count: 0, offset: undefined, add, name }
  function add({ offset, data }) {
    if (data.n !== ledger.count + 1) onFailure(`${name}: expected ${ledger.count + 1}, got ${data.n}`)
    if (ledger.offset !== undefined && offset !== ledger.offset + 1) {
      onFailure(`${name}: offset ${offset} after ${ledger.offset}`)
    }
    ledger.count = data.n
    ledger.offset = offset
  }
  return ledger
}
