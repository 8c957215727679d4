const graceMs = 15_000

/** In a child of `npm start`: ends this process, as SIGTERM would, when the parent is gone, however it went. Without a parent nothing happens. */
export const exitWithParent = (): void => {
  if (!process.channel) return
  process.on('disconnect', () => {
    setTimeout(() => process.exit(1), graceMs).unref()
    process.kill(process.pid, 'SIGTERM')
  })
  process.channel.unref()
}
