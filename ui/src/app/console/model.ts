/** What the console's API answers with, as far as the pages use it. */

/** How many an event was for, and what became of it. */
export interface Receipt {
  readonly matched: number
  readonly written: number
  readonly waiting: number
  readonly dropped: number
}

/** One line of the log. */
export interface Entry {
  readonly at: string
  readonly what: string
  readonly kind: string
  readonly app?: string
  readonly id?: string
  readonly event?: string
  readonly channel?: string
  readonly channels?: readonly string[]
  readonly socket_id?: string
  readonly user_id?: string
  readonly by?: string
  readonly address?: string
  readonly queue?: string
  readonly text?: string
  readonly code?: string
  readonly target?: string
  readonly size?: number
  readonly status?: number
  readonly receipt?: Receipt
  /** The data of an event, while somebody may look at it. */
  readonly payload?: Payload
}

/** The data of an event, 4 KB at most. */
export interface Payload {
  readonly data: string
  /** Whether there is more. */
  readonly cut?: boolean
  /** Whether only its receivers can read it. */
  readonly encrypted?: boolean
}

/** An administrator who looks at the data of events. */
export interface PayloadView {
  readonly id: string
  readonly user: { readonly id: string; readonly name: string }
  readonly app: string
  /** None: all channels. */
  readonly channel?: string
  readonly until: string
  /** Whether it is this session's. */
  readonly own: boolean
}

/** Whether administrators may look at the data of events, and who does. */
export interface PayloadViews {
  readonly allowed: boolean
  readonly views: readonly PayloadView[]
}

/** What the stream says of each second in which it did not show all. */
export interface Sampled {
  readonly shown: number
  readonly seen: number
  readonly one_in: number
  /** One in so many events is traced at all. */
  readonly trace_one_in?: number
}

/** A part of the server that does not do well. */
export interface Problem {
  readonly part: string
  readonly problem: string
}

/** One point of the charts. null: it was not known. */
export interface Point {
  readonly at: string
  readonly connections: number
  readonly events: number
  readonly deliveries: number
  readonly waiting_jobs: number | null
  readonly failed_jobs: number | null
  readonly probe_ms: number | null
  readonly cpu_percent: number
  readonly memory_bytes: number
}

/** The server at a glance. */
export interface Overview {
  readonly version: string
  readonly started_at: string
  readonly now: string
  readonly node: string
  readonly engine: string
  readonly ready: boolean
  readonly degraded: readonly Problem[]
  readonly totals: Readonly<
    Record<
      'connections' | 'channels' | 'subscriptions' | 'users' | 'apps' | 'waiting_bytes',
      number
    >
  >
  readonly rates: Readonly<
    Record<
      | 'events'
      | 'deliveries'
      | 'client_events'
      | 'connections_opened'
      | 'connections_closed'
      | 'webhooks'
      | 'denials'
      | 'errors',
      number
    >
  >
  readonly latency: Readonly<
    Record<'probe_ms' | 'delivery_p50_ms' | 'delivery_p99_ms', number | null>
  >
  readonly queues: Readonly<Record<'waiting' | 'running' | 'failed' | 'workers', number | null>>
  readonly trace: { readonly one_in: number; readonly dropped: number; readonly oldest?: string }
  readonly series: { readonly every_s: number; readonly points: readonly Point[] }
}

/** One thing that happened to an event. */
export interface Step {
  readonly at: string
  readonly what: string
  readonly channel?: string
  readonly queue?: string
  readonly run_at?: string
  readonly error?: string
  readonly permanent?: boolean
  readonly try?: number
  readonly reason?: string
  readonly code?: string
  readonly receipt?: Receipt
  readonly target?: string
  readonly status?: number
  /** In nanoseconds. */
  readonly took?: number
}

/** What is known of an event. */
export interface Timeline {
  readonly id: string
  readonly app: string
  readonly event: string
  readonly channels: readonly string[]
  readonly channel_count: number
  readonly size: number
  readonly keys?: readonly string[]
  readonly by?: string
  readonly address?: string
  readonly exclude_socket_id?: string
  readonly timeline: readonly Step[]
  readonly status?: string
  readonly receipt?: Receipt
}

/** A time on a channel. */
export interface Seat {
  readonly channel: string
  readonly user_id?: string
  readonly from?: string
  readonly to?: string
}

/** A connection as it is remembered. */
export interface History {
  readonly socket_id: string
  readonly app: string
  readonly address?: string
  readonly user_id?: string
  readonly opened?: string
  readonly closed?: string
  readonly code?: number
  readonly reason?: string
  readonly subscriptions: readonly Seat[] | null
}

/** An open connection. */
export interface Connection {
  readonly socket_id: string
  readonly app: { readonly id: string; readonly name: string }
  readonly user_id: string
  readonly address: string
  readonly opened_at: string
  readonly idle_s: number
  readonly channels: readonly string[]
  readonly channel_count: number
  readonly waiting_bytes: number
  readonly bytes_in: number
  readonly bytes_out: number
  readonly engine: string
  /** The client library with its version, as the client says. */
  readonly library: string
  /** As the client says. */
  readonly user_agent: string
}

/** What a connection's page said of its handlers. */
export interface PageSaid {
  /** An empty channel stands for all, the event "*" for every one. */
  readonly handlers: readonly { readonly channel: string; readonly events: readonly string[] }[]
  /** There are handlers on more channels. */
  readonly more?: boolean
  readonly since: string
  readonly last_at: string
  /** Handlers that failed, in all. */
  readonly failed: number
  /** The last that failed, the newest first. */
  readonly failures: readonly {
    readonly at: string
    readonly channel: string
    readonly event: string
    readonly error: string
  }[]
}

/** Who is on a presence channel. */
export interface Member {
  readonly user_id: string
  /** JSON as text, as far as it is shown. */
  readonly user_info?: string
  readonly user_info_bytes: number
}

/** A channel with subscribers. */
export interface Channel {
  readonly app: string
  readonly name: string
  readonly kind: string
  readonly subscribers: number
  readonly members?: number
  readonly last_event?: { readonly name: string; readonly at: string; readonly id: string }
}

/** An event on a channel's own page. */
export interface Recent {
  readonly id: string
  readonly event: string
  readonly at: string
  readonly status: string
  readonly size: number
  readonly by?: string
  readonly receipt?: Receipt
}

/** Why an event did or did not arrive. */
export interface Verdict {
  readonly code: string
  readonly arrived: boolean
  readonly sentence: string
  readonly evidence: readonly string[] | null
  readonly fix?: string
  readonly near?: readonly string[]
  readonly event?: Timeline
  readonly connections?: readonly History[]
  /** What the pages of those connections said, as far as they report. */
  readonly pages?: readonly (PageSaid & { readonly socket_id: string })[]
}

/** A queue. */
export interface Queue {
  readonly name: string
  readonly waiting: number
  readonly delayed: number
  readonly running: number
  readonly failed: number
  readonly paused: boolean
  readonly oldest_s: number
  readonly workers?: number
}

/** A worker of any process. */
export interface Worker {
  readonly id: string
  readonly name?: string
  readonly host: string
  readonly pid: number
  readonly version: string
  readonly other_version?: boolean
  readonly queues: readonly string[]
  readonly concurrency?: number
  readonly started_at: string
  readonly last_seen: string
  readonly state: string
  readonly running?: number
  readonly begun?: number
  readonly memory_mb?: number
}

/** A job that failed for good. */
export interface FailedJob {
  readonly id: string
  readonly queue: string
  readonly kind: string
  readonly app?: string
  readonly event_id?: string
  readonly event?: string
  readonly channels?: readonly string[]
  readonly error: string
  readonly group?: string
  readonly attempts: number
  readonly enqueued_at?: string
  readonly failed_at: string
  /** null: the payload is gone, and the job cannot be tried again. */
  readonly payload_until: string | null
  readonly payload?: unknown
}

/** Failed jobs of one queue with one cause. */
export interface FailedGroup {
  readonly error: string
  readonly queue: string
  readonly count: number
  readonly first: string
  readonly last: string
  readonly example_id: string
}

/** An authorization that was refused. */
export interface Denial {
  readonly id: string
  readonly at: string
  readonly action: string
  readonly app: string
  readonly channel: string
  readonly socket_id: string
  readonly user_id: string
  readonly user_name: string
  readonly address: string
  readonly result: string
  readonly rule: string
  readonly reason: string
}

/** One request to an application's endpoint, with all its tries. */
export interface Call {
  readonly id: string
  readonly app: string
  readonly url: string
  readonly events: readonly string[]
  /** The first ten. */
  readonly channels: readonly string[]
  /** How many events there are. */
  readonly count: number
  readonly accepted_at: string
  readonly at: string
  readonly outcome: string
  /** Of the last try; 0 for no answer. */
  readonly status: number
  readonly error?: string
  readonly took_ms: number
  readonly tries: readonly CallTry[]
  readonly resent_at: string | null
  readonly resent_as?: string
  /** Whether it can be sent again, and until when where that is known. */
  readonly body: boolean
  readonly body_until: string | null
}

/** One try of a request. */
export interface CallTry {
  readonly at: string
  readonly status: number
  readonly error?: string
  readonly took_ms: number
}

/** A signed call that came in. */
export interface Incoming {
  readonly id: string
  readonly at: string
  readonly address: string
  readonly scheme: string
  readonly result: string
  readonly error?: string
  readonly diagnosis?: string
  readonly size: number
  readonly dashboard?: string
  readonly range?: string
  readonly reason?: string
  readonly webhook_id?: string
  readonly milliseconds: number
  readonly count: number
}

/** An app without its secrets. */
export interface AppLine {
  readonly id: string
  readonly name: string
  readonly key: string
  readonly from: string
  readonly read_only?: boolean
  readonly enabled: boolean
  readonly secrets: number
  readonly connections: number
}

/** The credentials of an app that were just made. */
export interface Created {
  readonly id: string
  readonly name: string
  readonly key: string
  readonly secret: string
}

/** How far an app is in its limits. */
export interface Usage {
  readonly app: string
  readonly name: string
  readonly limits:
    | readonly {
        readonly limit: string
        readonly used: number | null
        readonly max: number | null
        readonly percent: number | null
        readonly refused?: number
      }[]
    | null
}

/** A part of the server. */
export interface Part {
  readonly name: string
  readonly state: string
  readonly since: string
  readonly note?: string
  readonly took_ms: number
}

/** The last events that went the whole way. */
export interface Probes {
  readonly every_s: number
  readonly last:
    | readonly { readonly at: string; readonly ms: number; readonly error?: string }[]
    | null
}

/** One thing that the doctor looked at. */
export interface Check {
  readonly name: string
  readonly result: string
  readonly seen: string
  readonly fix?: string
}

/** What an administrator did. */
export interface Deed {
  readonly id: string
  readonly at: string
  readonly user: { readonly id: string; readonly name: string }
  readonly by?: string
  readonly address: string
  readonly action: string
  readonly subject: string
  readonly error?: string
  readonly details?: Readonly<Record<string, unknown>> | null
}
