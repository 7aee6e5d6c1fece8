type Run<Message> = [Message, ...Message[]]

/** Splits messages at gaps between their seqs. @param messages  ordered by seq */
export function consecutiveRuns<Message extends { readonly seq: number }>(
  messages: readonly Message[]
): readonly Readonly<Run<Message>>[] {
  const runs: Run<Message>[] = []
  for (const message of messages) {
    const run = runs.at(-1)
    if (run?.at(-1)?.seq === message.seq - 1) run.push(message)
    else runs.push([message])
  }
  return runs
}
