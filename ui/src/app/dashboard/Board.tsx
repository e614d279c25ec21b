import { useDashboardEcho } from 'belfry-client/dashboard'
import { type ReactNode, useEffect, useState } from 'react'
import { useSearchParams } from 'wouter'
import { base } from '../../base'
import { useConnection } from '../connection'
import { Failed, Loading } from '../kit/States'
import { usePageTitle } from '../kit/title'
import { SignInFirst } from '../Private'
import { useSession } from '../session'
import { Announcer } from './Announcer'
import { BoardHead } from './BoardHead'
import { Figures } from './Figures'
import { Notice } from './Notice'
import { Others } from './Others'
import { Refused } from './Refused'

/** How long to wait for the page's connection before polling, in milliseconds. */
const patience = 5000

/** One dashboard: its figures, and what can be said of them. */
export function Board(props: { name: string }): ReactNode {
  const { name } = props
  const { user, refresh } = useSession()
  const pusher = useConnection()
  const late = useLate(patience)
  const [search, setSearch] = useSearchParams()
  const board = useDashboardEcho({
    dashboard: name,
    baseUrl: base.slice(0, -1),
    pusher,
    initialRange: search.get('range') || undefined,
    autoConnect: pusher !== undefined || late,
  })
  const { stats, info, error, loading } = board
  const title = info?.title || (name === 'default' ? 'Dashboard' : name)
  usePageTitle(title)

  // Figures may be the first to notice that the session has ended.
  const out = board.connection === 'unauthorized' && error?.status !== 403
  useEffect(() => {
    if (out) refresh()
  }, [out, refresh])

  const setRange = (range: string): void => {
    board.setRange(range)
    setSearch({ range }, { replace: true })
  }

  if (stats === null || info === null) {
    if (error === null) return <Loading />
    if (error.status === 401) return user === null ? <SignInFirst /> : <Loading />
    if (info === null && (error.status === 403 || error.status === 404)) {
      return <Refused name={name} error={error} />
    }
    // A range that there is not leaves the choice of another.
    if (info === null && error.status !== 400) {
      return <Failed problem={error} again={() => void board.refresh()} />
    }
  }
  return (
    <div className="board" aria-busy={loading && stats === null}>
      <BoardHead board={{ ...board, setRange }} title={title} others={<Others name={name} />} />
      <Notice board={board} />
      {stats === null || info === null ? (
        error === null && <Loading />
      ) : (
        <>
          <Figures stats={stats} info={info} board={board} />
          <Announcer stats={stats} info={info} />
        </>
      )}
    </div>
  )
}

/** Whether so many milliseconds have passed since the component came. */
function useLate(ms: number): boolean {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = window.setTimeout(() => setLate(true), ms)
    return () => window.clearTimeout(timer)
  }, [ms])
  return late
}
