/** How long a tab waits for the claims of the others, in milliseconds. */
const wait = 60

/** The rank of who has done it. Nobody answers it. */
const done = Number.MAX_SAFE_INTEGER

/** A claim: which tab wants to do something that only one is to do. */
interface Claim {
  rank: number
  tab: string
}

type Packet = { tab: string } & (
  | { claim: string; rank: number; hold: number }
  | { message: unknown }
)

/**
 * The tabs of one browser that show the same user's notifications. They tell each
 * other what was done, and agree which one makes a sound. Without
 * BroadcastChannel every tab is alone.
 */
export class Tabs {
  private readonly tab = Math.random().toString(36).slice(2)
  private readonly claims = new Map<string, Claim & { until: number }>()
  private readonly channel: BroadcastChannel | undefined

  constructor(
    name: string,
    private readonly onMessage: (message: unknown) => void,
  ) {
    if (typeof BroadcastChannel === 'undefined') return
    this.channel = new BroadcastChannel(name)
    this.channel.onmessage = ({ data }: MessageEvent<Packet>) => {
      if (data?.tab === this.tab) return
      if ('claim' in data) this.heard(data.claim, data, data.hold)
      else this.onMessage(data?.message)
    }
  }

  /** Tells the other tabs. */
  send(message: unknown): void {
    this.channel?.postMessage({ tab: this.tab, message })
  }

  /**
   * Reports whether this tab is the one to do it: the highest rank wins. Who asks
   * within hold milliseconds of another's claim is too late.
   */
  async claim(what: string, rank: number, hold: number): Promise<boolean> {
    const taken = this.claims.get(what)
    if (taken && taken.until > Date.now()) {
      // A claim that is still open: this tab may yet have the better one.
      const open = taken.tab !== this.tab && taken.until - hold + wait > Date.now()
      if (!open || !better({ rank, tab: this.tab }, taken)) return false
    }
    this.note(what, { rank, tab: this.tab }, hold)
    if (!this.channel) return true
    this.channel.postMessage({ tab: this.tab, claim: what, rank, hold })
    await new Promise(resolve => setTimeout(resolve, wait))
    return this.claims.get(what)?.tab === this.tab
  }

  close(): void {
    this.channel?.close()
  }

  private heard(what: string, claim: Claim, hold: number): void {
    const taken = this.claims.get(what)
    const decided = taken && taken.until > Date.now() && taken.until - hold + wait <= Date.now()
    if (taken?.tab === this.tab && decided && claim.rank < done) {
      // Done here already: the late one must not do it again.
      this.channel?.postMessage({ tab: this.tab, claim: what, rank: done, hold })
      return
    }
    if (!taken || taken.until <= Date.now() || better(claim, taken)) this.note(what, claim, hold)
  }

  private note(what: string, { rank, tab }: Claim, hold: number): void {
    this.claims.delete(what)
    this.claims.set(what, { rank, tab, until: Date.now() + hold })
    if (this.claims.size <= 200) return
    for (const oldest of this.claims.keys()) {
      this.claims.delete(oldest)
      break
    }
  }
}

function better(a: Claim, b: Claim): boolean {
  return a.rank > b.rank || (a.rank === b.rank && a.tab < b.tab)
}
