import type Pusher from 'pusher-js'

/** How long a try may take before another one begins, in milliseconds. */
const first = 4000
const longest = 30_000

/**
 * Connects anew in good time: where a lost connection does not come back at once,
 * pusher-js waits for 15 seconds, in which a server restarts several times over.
 * The waits grow, and differ from page to page. Gives what ends it.
 */
export function hurry(pusher: Pusher): () => void {
  let timer: number | undefined
  let tries = 0
  const wait = () => {
    const ms = Math.min(longest, first * 2 ** tries) * (0.75 + 0.5 * Math.random())
    timer = window.setTimeout(() => {
      tries++
      pusher.disconnect()
      pusher.connect()
    }, ms)
  }
  const onChange = ({ current }: { current: string }) => {
    if (current === 'connected') tries = 0
    // A page that is done, and one that was refused for good, stay as they are.
    if (current !== 'connecting' && current !== 'unavailable') window.clearTimeout(timer)
    else if (current === 'connecting') {
      window.clearTimeout(timer)
      wait()
    }
  }
  pusher.connection.bind('state_change', onChange)
  return () => {
    window.clearTimeout(timer)
    pusher.connection.unbind('state_change', onChange)
  }
}
