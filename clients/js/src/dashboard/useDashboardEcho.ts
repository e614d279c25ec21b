import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import { DashboardConnection, type DashboardOptions, type DashboardState } from './connection.js'
import type { DashboardStats } from './update.js'

/** What useDashboardEcho takes. Nothing is required. */
export interface UseDashboardOptions extends DashboardOptions {
  /** Whether to begin at once; otherwise connect does. Default: true. */
  autoConnect?: boolean | undefined
}

/** The state and what can be done with it. */
export interface UseDashboard<Stats> extends Omit<DashboardState, 'stats'> {
  /** The figures of the range; null: there are none yet. */
  readonly stats: Stats | null
  readonly setRange: DashboardConnection['setRange']
  readonly refresh: DashboardConnection['refresh']
  /** Begins, where autoConnect is false, or after disconnect. */
  readonly connect: () => void
  /** Ends the connection and all requests. */
  readonly disconnect: () => void
}

/**
 * The live figures of a dashboard, as long as the component lives. Another
 * dashboard, connection, key, baseUrl or token begins anew; of the other options
 * those of the first call count, and of the callbacks the latest.
 */
export function useDashboardEcho<Stats = DashboardStats>(
  options: UseDashboardOptions = {},
): UseDashboard<Stats> {
  const latest = useRef(options)
  useEffect(() => {
    latest.current = options
  })
  const { dashboard, echo, pusher, key, baseUrl, autoConnect = true } = options
  const token = typeof options.token === 'string' ? options.token : undefined
  // biome-ignore lint/correctness/useExhaustiveDependencies: what makes it begin anew
  const connection = useMemo(
    () =>
      new DashboardConnection({
        ...options,
        onStatsUpdate: (stats, update) => latest.current.onStatsUpdate?.(stats, update),
        onConnectionChange: (connected, how) => latest.current.onConnectionChange?.(connected, how),
      }),
    [dashboard, echo, pusher, key, baseUrl, token],
  )
  useEffect(() => {
    if (autoConnect) connection.start()
    return () => connection.destroy()
  }, [connection, autoConnect])
  const state = useSyncExternalStore(connection.subscribe, connection.getState, connection.getState)
  const actions = useMemo(
    () => ({
      setRange: connection.setRange,
      refresh: connection.refresh,
      connect: () => connection.start(),
      disconnect: () => connection.destroy(),
    }),
    [connection],
  )
  return { ...state, stats: state.stats as Stats | null, ...actions }
}

/** useDashboardEcho under its older name. */
export const useDashboardSocket = useDashboardEcho
