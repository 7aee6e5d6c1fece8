/**
 * Kills gateways in turn with SIGKILL, and starts each again.
 * @param everyMs    from one start to the next kill
 * @param onFailure  called when one does not come back
 * @returns `stop` ends that, and resolves when all of them run
 */
export function startKilling(gateways, everyMs, onFailure) {
  const killer = { kills: 0, stop }
  let isOver = false
  let timer
  let restart = Promise.resolve()
  function next() {
    timer = setTimeout(() => {
      restart = killOne().catch(error => onFailure(`a gateway did not come back: ${error.message}`))
      restart.then(() => {
        if (!isOver) next()
      })
    }, everyMs)
  }
  async function killOne() {
    const gateway = gateways[killer.kills++ % gateways.length]
    gateway.child.signal('SIGKILL')
    await gateway.child.exited
    await gateway.start()
  }
  async function stop() {
    isOver = true
    clearTimeout(timer)
    await restart
  }
  next()
  return killer
}
