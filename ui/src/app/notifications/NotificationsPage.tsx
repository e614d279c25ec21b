import type { Notification } from 'belfry-client'
import { english, useNotifications } from 'belfry-client/react'
import { type ReactNode, useCallback, useMemo, useState } from 'react'
import { Empty, Failed, Loading } from '../kit/States'
import { usePageTitle } from '../kit/title'
import { BulkBar } from './BulkBar'
import { FilterBar } from './FilterBar'
import { narrowed, searchOf } from './filters'
import { NotificationList } from './NotificationList'
import { OpenedDialog } from './OpenedDialog'
import { SettingsDialog } from './SettingsDialog'
import { type Action, useActions } from './useActions'
import { useFilters } from './useFilters'
import { useHeld } from './useHeld'
import { useList } from './useList'
import { useOpened } from './useOpened'
import { useSelection } from './useSelection'
import { emptyWords, outcomeWords } from './words'
import './notifications.css'

/** A user's own notifications. */
export default function NotificationsPage(): ReactNode {
  usePageTitle('Notifications')
  const state = useNotifications()
  const { manager, unreadCount, connection, missed } = state
  const { filters, opened, pick, close, addressOf } = useFilters()
  const list = useList(filters)
  const held = useHeld(list.rows, searchOf(filters).toString())
  const selection = useSelection(held.rows)
  const actions = useActions(manager)
  const [settings, setSettings] = useState(false)
  const linked = useOpened(opened)
  // biome-ignore lint/correctness/useExhaustiveDependencies: state is what known follows
  const categories = useMemo(
    () => [...new Set(manager.known().map(row => row.category))].filter(Boolean).sort(),
    [manager, state],
  )

  const { run } = actions
  const act = useCallback((action: Action, row: Notification) => void run(action, [row]), [run])
  const runAll = async (action: Action) => {
    const { failed } = await run(action, selection.rows)
    selection.set(failed)
  }
  const [readAllFailed, setReadAllFailed] = useState(false)
  const readAll = async () => {
    actions.forget()
    setReadAllFailed(!(await manager.readAll()))
  }

  const note = english.connection(connection)
  const said = actions.outcome ? outcomeWords(actions.outcome) : ''
  const failed = (actions.outcome?.failed.length ?? 0) > 0
  return (
    <div className="n-page">
      <div className="page-head">
        <h1>Notifications</h1>
        <div className="n-head-actions">
          <button type="button" className="quiet" disabled={unreadCount === 0} onClick={readAll}>
            Mark all as read
          </button>
          <button type="button" className="quiet" onClick={() => setSettings(true)}>
            Settings
          </button>
        </div>
      </div>
      {note !== '' && <p className="n-note">{note}</p>}
      {missed.length > 0 && (
        <p className="n-note" data-missed={missed.length}>
          {missed.length === 1 ? 'One came' : `${missed.length} came`} while the connection was
          away.
          <button type="button" className="quiet" onClick={state.clearMissed}>
            Seen
          </button>
        </p>
      )}
      <FilterBar filters={filters} pick={pick} unread={unreadCount} categories={categories} />
      <BulkBar
        rows={held.rows}
        hasMore={list.hasMore}
        selection={selection}
        busy={actions.busy}
        run={runAll}
      />
      <p className="n-outcome" role="status">
        {failed ? '' : said}
      </p>
      <p className="n-outcome n-problem" role="alert">
        {failed ? said : readAllFailed ? state.error : ''}
      </p>
      {held.count > 0 && (
        <div className="n-new">
          <button type="button" onClick={held.show}>
            {held.count} new
          </button>
        </div>
      )}
      {list.status === 'loading' && <Loading />}
      {list.status === 'failed' && <Failed problem={list.problem} again={list.retry} />}
      {list.status === 'ready' &&
        (held.rows.length === 0 && !list.hasMore ? (
          <Nothing words={emptyWords(filters, narrowed(filters))} />
        ) : (
          <NotificationList
            key={searchOf(filters).toString()}
            list={list}
            rows={held.rows}
            selection={selection}
            addressOf={addressOf}
            act={act}
          />
        ))}
      {opened !== '' && <OpenedDialog key={opened} opened={linked} act={act} close={close} />}
      <SettingsDialog open={settings} close={() => setSettings(false)} />
    </div>
  )
}

function Nothing({ words: [title, text] }: { words: [string, string] }): ReactNode {
  return <Empty title={title}>{text}</Empty>
}
