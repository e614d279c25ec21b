import {
  type Change,
  isExpired,
  isShown,
  isUnread,
  type Notification,
  type Standing,
  sentAt,
} from './notification.js'

/** A change of one member of a row, and the state version that made it. */
interface Mark {
  version: number
  at: string | null
}

/** All that is known of one id. The row may come after what changed it. */
interface Entry {
  row?: Notification
  read?: Mark
  dismissed?: Mark
  archived?: Mark
  /** The version at which it was taken back. */
  gone?: number
  /** The row with the marks on it, as last computed. */
  shown?: Notification | undefined
}

/** A change that was asked for and is not answered yet. */
export interface Pending {
  readonly change: Change
  /** Undefined: all that was there. */
  readonly ids: readonly string[] | undefined
  readonly at: string
  readonly version: number
}

/** What the book shows. */
export interface View {
  /** Neither dismissed, archived nor expired, newest first. */
  notifications: Notification[]
  unreadCount: number
  /** When the next one expires, in milliseconds. */
  nextExpiry: number
}

/** The most ids without a row that are remembered. */
const maxUnknown = 5000

/**
 * What is known of one user's notifications. Events and answers may come in any
 * order and more than once: every member of a row follows the highest version
 * that spoke of it, and so does the count. It does nothing by itself: no clock,
 * no network.
 */
export class Book {
  private entries = new Map<string, Entry>()
  private unknown = new Set<string>()
  private allRead: Mark = { version: 0, at: null }
  private pending: Pending[] = []
  private counts: Standing = { unread_count: 0, state_version: 0 }
  private countedAt = 0
  private seen = new Set<number>()
  /** Every change up to this version is known. */
  complete = 0
  /** The list is known back to this time, in milliseconds; 0: all of it. */
  floor = 0

  /** The highest version that was heard of. */
  get version(): number {
    return this.counts.state_version
  }

  /** Reports whether a change is missing below the highest that was heard of. */
  get gap(): boolean {
    return this.seen.size > 0
  }

  /**
   * Adds rows and gives those that were not known and are not known to be gone,
   * as they are now.
   */
  add(rows: readonly Notification[], truncated = false): Notification[] {
    const fresh: Notification[] = []
    for (const row of rows) {
      const entry = this.entry(row.id)
      const known = entry.row
      if (known && (known.version > row.version || (truncated && known.version === row.version))) {
        continue
      }
      entry.row = row
      entry.shown = undefined
      this.unknown.delete(row.id)
      const shown = this.effective(entry)
      if (!known && shown) fresh.push(shown)
    }
    return fresh
  }

  /** Notes a change of the user's; no ids: all that was sent before it. */
  mark(change: Change, ids: readonly string[], version: number, at: string): void {
    const mark = { version, at: change === 'unread' ? null : at }
    if (ids.length === 0) {
      if (change !== 'read' || version <= this.allRead.version) return
      this.allRead = mark
      for (const entry of this.entries.values()) entry.shown = undefined
      return
    }
    const member = change === 'dismissed' || change === 'archived' ? change : 'read'
    for (const id of ids) {
      const entry = this.entry(id)
      if ((entry[member]?.version ?? -1) < version) entry[member] = mark
      entry.shown = undefined
    }
  }

  /** Notes that these were taken back. */
  remove(ids: readonly string[], version: number): void {
    for (const id of ids) {
      const entry = this.entry(id)
      entry.gone = Math.max(entry.gone ?? 0, version)
      entry.shown = undefined
    }
  }

  /** Takes the counts unless newer ones are known; now: in milliseconds. */
  count(standing: Standing, now: number): void {
    if (standing.state_version < this.counts.state_version) return
    this.counts = standing
    this.countedAt = now
  }

  /** Notes that the change that made this version is in the book. */
  saw(version: number): void {
    if (version <= this.complete) return
    this.seen.add(version)
    this.advance()
  }

  /** Notes that every change up to this version is in the book. */
  settle(version: number): void {
    this.complete = Math.max(this.complete, version)
    for (const seen of this.seen) if (seen <= this.complete) this.seen.delete(seen)
    this.advance()
  }

  /**
   * Takes a page of the list as the truth for the time that it spans: what is
   * known there, is not newer and is not on the page is gone.
   */
  reconcile(rows: readonly Notification[], version: number, from: number): void {
    const there = new Set(rows.map(row => row.id))
    for (const [id, entry] of this.entries) {
      const row = this.effective(entry)
      if (!row || there.has(id) || !isShown(row)) continue
      const latest = Math.max(row.version, entry.read?.version ?? 0)
      if (latest <= version && sentAt(row) > from) this.remove([id], version)
    }
  }

  /** Shows a change before it is answered. */
  begin(change: Change, ids: readonly string[] | undefined, at: string): Pending {
    const pending = { change, ids, at, version: this.version }
    this.pending.push(pending)
    return pending
  }

  /** Takes an unanswered change off: its answer is in the book, or it failed. */
  end(pending: Pending): void {
    this.pending = this.pending.filter(other => other !== pending)
  }

  /** The row as the page shows it, unanswered changes included. */
  get(id: string): Notification | undefined {
    const entry = this.entries.get(id)
    const row = entry && this.effective(entry)
    return row && this.pending.reduce(apply, row)
  }

  /** Every row that is known and has not expired, of any status, in no order. */
  rows(now: number): Notification[] {
    const rows: Notification[] = []
    for (const entry of this.entries.values()) {
      const row = this.effective(entry)
      if (row && !isExpired(row, now)) rows.push(this.pending.reduce(apply, row))
    }
    return rows
  }

  /** All that the page shows; now: in milliseconds. */
  view(now: number): View {
    let unread = this.counts.unread_count
    let nextExpiry = Number.POSITIVE_INFINITY
    const shown: [number, Notification][] = []
    let after = 0 // unread ones that came after an unanswered "read all"
    const all = this.pending.findLast(pending => !pending.ids)
    for (const entry of this.entries.values()) {
      const row = this.effective(entry)
      if (!row) continue
      const counted = isUnread(row) && !isExpired(row, this.countedAt)
      if (isExpired(row, now)) {
        if (counted) unread--
        continue
      }
      if (row.expires_at) nextExpiry = Math.min(nextExpiry, Date.parse(row.expires_at))
      const patched = this.pending.reduce(apply, row)
      if (counted) unread += isUnread(patched) ? 0 : -1
      else unread += isUnread(patched) ? 1 : 0
      if (isUnread(patched)) after++
      const sent = sentAt(patched)
      if (isShown(patched) && sent >= this.floor) shown.push([sent, patched])
    }
    if (all) unread = after
    return {
      notifications: shown.sort(newestFirst).map(([, row]) => row),
      unreadCount: Math.max(0, unread),
      nextExpiry,
    }
  }

  /** Forgets all but what is unanswered: the server began anew. */
  clear(): void {
    this.entries.clear()
    this.unknown.clear()
    this.seen.clear()
    this.allRead = { version: 0, at: null }
    this.counts = { unread_count: 0, state_version: 0 }
    this.complete = 0
    this.floor = 0
  }

  private entry(id: string): Entry {
    let entry = this.entries.get(id)
    if (entry) return entry
    entry = {}
    this.entries.set(id, entry)
    this.unknown.add(id)
    if (this.unknown.size > maxUnknown) {
      for (const oldest of this.unknown) {
        this.unknown.delete(oldest)
        this.entries.delete(oldest)
        break
      }
    }
    return entry
  }

  private effective(entry: Entry): Notification | undefined {
    const { row, dismissed, archived, gone } = entry
    if (!row || (gone !== undefined && gone >= row.version)) return undefined
    if (entry.shown) return entry.shown
    const read =
      (entry.read?.version ?? -1) > this.allRead.version ? (entry.read as Mark) : this.allRead
    const marked: { -readonly [K in keyof Notification]?: Notification[K] } = {}
    if (read.version > row.version && (read.at === null) !== (row.read_at === null)) {
      marked.read_at = read.at
    }
    if (dismissed && dismissed.version > row.version) marked.dismissed_at = dismissed.at
    if (archived && archived.version > row.version) marked.archived_at = archived.at
    entry.shown = Object.keys(marked).length > 0 ? { ...row, ...marked } : row
    return entry.shown
  }

  private advance(): void {
    while (this.seen.delete(this.complete + 1)) this.complete++
  }
}

function apply(row: Notification, pending: Pending): Notification {
  const { ids, change, at } = pending
  if (ids ? !ids.includes(row.id) : row.version > pending.version) return row
  switch (change) {
    case 'read':
      return row.read_at === null ? { ...row, read_at: at } : row
    case 'unread':
      return row.read_at === null ? row : { ...row, read_at: null }
    case 'dismissed':
      return { ...row, dismissed_at: row.dismissed_at ?? at }
    case 'archived':
      return { ...row, archived_at: row.archived_at ?? at }
  }
}

function newestFirst(
  [first, a]: [number, Notification],
  [second, b]: [number, Notification],
): number {
  return second - first || (a.id < b.id ? 1 : -1)
}
