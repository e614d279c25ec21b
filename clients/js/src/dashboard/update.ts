import { isObject } from '../object.js'

/** The ranges that Belfry knows. */
export type DashboardRange =
  | 'today'
  | 'yesterday'
  | 'this_week'
  | 'last_week'
  | 'this_month'
  | 'last_month'
  | 'last_7_days'
  | 'last_30_days'

/** A row of a table, or a point of a series: time, value and maybe series. */
export type DashboardRow = Readonly<Record<string, unknown>>

/**
 * The figures by their names: a number, a list of rows or of points, or null when
 * a figure could never be computed. timestamp says when they were computed.
 */
export interface DashboardStats {
  readonly timestamp: string
  readonly range: string
  readonly [figure: string]: number | string | readonly DashboardRow[] | null
}

/** A figure that could not be computed again: its value is that of as_of. */
export interface StaleFigure {
  readonly stale: boolean
  /** RFC 3339; null: it never succeeded. */
  readonly as_of: string | null
}

/** What a figure is, for pages that show whichever there are. */
export interface DashboardFigure {
  readonly name: string
  readonly title: string
  readonly kind: 'number' | 'rows' | 'series'
  readonly unit: string
  /** Whether a rise is good; "": neither. */
  readonly better: 'up' | 'down' | ''
  readonly personal: boolean
  /** How wide the buckets of a series are, "" for other kinds. */
  readonly bucket: string
}

/** What a dashboard is, and the bounds of the range. */
export interface DashboardInfo {
  readonly title: string
  readonly timezone: string
  readonly weekStarts: string
  /** RFC 3339. */
  readonly start: string
  /** RFC 3339, exclusive. */
  readonly end: string
  readonly channel: string
  readonly public: boolean
  readonly ranges: readonly string[]
  readonly figures: readonly DashboardFigure[]
}

/** One computation of all figures of a range. */
export interface DashboardUpdate {
  /** null: the figures have changed, and are too large for an event. */
  readonly stats: DashboardStats | null
  /** The numbers of the range before. */
  readonly previous: Readonly<Record<string, number | null>>
  /** The figures that failed. */
  readonly meta: Readonly<Record<string, StaleFigure>>
  readonly dashboard: string
  readonly reason: string
  readonly range: string
  readonly timestamp: string
  readonly id: string
}

/** Reads an event or an answer; undefined when it is none. */
export function readUpdate(raw: unknown): DashboardUpdate | undefined {
  if (!isObject(raw) || typeof raw.range !== 'string') return undefined
  const { type, stats, range } = raw
  if (type !== 'stats_update' && type !== 'stats_changed') return undefined
  if (type === 'stats_update' && !isObject(stats)) return undefined
  const timestamp = text(raw.timestamp)
  return {
    stats: isObject(stats) ? ({ timestamp, range, ...stats } as DashboardStats) : null,
    previous: (isObject(raw.previous) ? raw.previous : {}) as DashboardUpdate['previous'],
    meta: (isObject(raw.meta) ? raw.meta : {}) as DashboardUpdate['meta'],
    dashboard: text(raw.dashboard) || 'default',
    reason: text(raw.reason),
    range,
    timestamp,
    id: text(raw.id),
  }
}

/** Reads what an answer says beside the update; the channel is as by default. */
export function readInfo(raw: Record<string, unknown>, channel: string): DashboardInfo {
  return {
    title: text(raw.title),
    timezone: text(raw.timezone) || 'UTC',
    weekStarts: text(raw.week_starts),
    start: text(raw.start),
    end: text(raw.end),
    channel: text(raw.channel) || channel,
    public: raw.public === true,
    ranges: Array.isArray(raw.ranges) ? raw.ranges.map(String) : [],
    figures: Array.isArray(raw.figures) ? raw.figures.filter(isObject).map(readFigure) : [],
  }
}

/** Reports whether an update is newer than another; ids sort by age. */
export function isNewer(update: DashboardUpdate, than: DashboardUpdate): boolean {
  const [a, b] = [Date.parse(update.timestamp), Date.parse(than.timestamp)]
  return a === b ? update.id > than.id : !(a < b)
}

function readFigure(raw: Record<string, unknown>): DashboardFigure {
  const { kind, better } = raw
  return {
    name: text(raw.name),
    title: text(raw.title) || text(raw.name),
    kind: kind === 'rows' || kind === 'series' ? kind : 'number',
    unit: text(raw.unit),
    better: better === 'up' || better === 'down' ? better : '',
    personal: raw.personal === true,
    bucket: text(raw.bucket),
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
