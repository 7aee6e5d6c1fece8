// Answers of every measured process over IPC. Loaded with --import, so that the gateway runs as it ships.

process.on('message', ({ id, ask }) => {
  if (ask === 'collect') globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, external } = process.memoryUsage()
  process.send?.({ id, cpuUs: user + system, rss, heap: heapUsed + external })
})
// Exits when the parent process has exited.
process.on('disconnect', () => process.exit(0))
