/**
 * Figures that a test makes up, in the place of the server's: answers of
 * GET /api/dashboard/current and of GET /api/dashboards for one page.
 */
export class Board {
  /** @type {{status: number, body: object} | undefined} Answers in place of the figures. */
  refusal
  /** The answer's own members, over those below. */
  view
  /** @type {Record<string, unknown>} */
  stats
  asked = 0
  #next = 1

  /**
   * @param {Record<string, unknown>} [stats]
   * @param {Record<string, unknown>} [view]
   */
  constructor(stats = sample, view = {}) {
    this.stats = stats
    this.view = view
  }

  /** @param {import('playwright-core').Page} page */
  async attach(page) {
    await page.route('**/api/dashboards', route =>
      route.fulfill({
        json: { dashboards: this.refusal ? [] : [{ name: 'default', title: 'x' }] },
      }),
    )
    await page.route('**/api/dashboard/current?*', route => {
      this.asked++
      if (this.refusal) {
        return route.fulfill({ status: this.refusal.status, json: this.refusal.body })
      }
      const range = new URL(route.request().url()).searchParams.get('range') ?? ''
      if (range === 'ever') {
        return route.fulfill({ status: 400, json: { error: 'there is no such range', code: 'x' } })
      }
      return route.fulfill({ json: this.answer(range) })
    })
  }

  /** @param {string} range */
  answer(range) {
    const timestamp = new Date().toISOString()
    const start = new Date()
    start.setUTCHours(0, 0, 0, 0)
    start.setUTCDate(start.getUTCDate() - ((start.getUTCDay() + 6) % 7))
    return {
      type: 'stats_update',
      dashboard: 'default',
      stats: { ...this.stats, timestamp, range },
      previous: { students_monitored: 40, checkins: 100, flags: 2 },
      meta: {},
      reason: '',
      range,
      timestamp,
      id: String(this.#next++).padStart(8, '0'),
      title: 'Check-ins',
      timezone: 'UTC',
      week_starts: 'monday',
      start: start.toISOString(),
      end: new Date(start.getTime() + 7 * 86_400_000).toISOString(),
      channel: 'private-dashboard',
      public: false,
      ranges: ['today', 'yesterday', 'this_week', 'last_week', 'this_month', 'last_month'],
      figures,
      ...this.view,
    }
  }
}

/**
 * What a figure is.
 *
 * @param {string} name
 * @param {string} title
 * @param {string} kind
 * @param {object} [more]
 */
export const figure = (name, title, kind, more = {}) => ({
  name,
  title,
  kind,
  unit: '',
  better: '',
  personal: false,
  bucket: kind === 'series' ? 'day' : '',
  ...more,
})

const figures = [
  figure('students_monitored', 'Students monitored', 'number', { better: 'up' }),
  figure('checkins', 'Check-ins', 'number', { better: 'up' }),
  figure('flags', 'High-risk flags', 'number', { better: 'down' }),
  figure('rate', 'Answered', 'number', { unit: '%' }),
  figure('by_mood', 'Check-ins by mood', 'series', { unit: 'check-ins' }),
  figure('recent_alerts', 'Recent alerts', 'rows', { personal: true }),
]

const moods = 'Awesome Great Loved Okay Meh Anxious Bad Terrible Upset'.split(' ')

/** Points of this week's days. @returns {object[]} */
function points() {
  const monday = new Date()
  monday.setUTCHours(0, 0, 0, 0)
  monday.setUTCDate(monday.getUTCDate() - ((monday.getUTCDay() + 6) % 7))
  return [0, 1, 2, 4].flatMap(day =>
    moods.map((series, n) => ({
      time: new Date(monday.getTime() + day * 86_400_000).toISOString(),
      series,
      value: ((day * 7 + n * 5) % 9) + 1,
    })),
  )
}

const ago = (/** @type {number} */ minutes) => new Date(Date.now() - minutes * 60_000).toISOString()

export const sample = {
  students_monitored: 48,
  checkins: 93,
  flags: 5,
  rate: 87.5,
  by_mood: points(),
  recent_alerts: [
    {
      id: 12,
      name: 'Zoë <b>Müller</b>',
      severity: 'high',
      status: 'open',
      reason: 'Three very high stress levels in a row',
      created_at: ago(2),
    },
    {
      id: 11,
      name: 'Ada Nwosu',
      severity: 'medium',
      status: 'in_progress',
      reason: 'Asked for a talk',
      created_at: ago(90),
    },
    {
      id: 10,
      name: 'Li Wei',
      severity: 'low',
      status: 'resolved',
      reason: '',
      created_at: ago(3000),
    },
  ],
}
