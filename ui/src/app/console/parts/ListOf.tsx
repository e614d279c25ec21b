import type { ReactNode } from 'react'
import { Empty, Failed, Loading, wordsOf } from '../../kit/States'
import type { List } from '../queries'
import { type Column, Table } from './Table'

/** A list of the server's with all its states, and more of it at a click. */
export function ListOf<T>(props: {
  label: string
  list: List & { rows: readonly T[] | undefined }
  columns: readonly Column<T>[]
  keyOf: (row: T) => string
  empty: ReactNode
}): ReactNode {
  const { list } = props
  if (list.rows === undefined) {
    return list.error === null ? (
      <Loading />
    ) : (
      <Failed problem={list.error} again={() => void list.refetch()} />
    )
  }
  return (
    <>
      {list.error !== null && <Stale problem={list.error} />}
      {list.rows.length === 0 ? (
        props.empty
      ) : (
        <Table label={props.label} columns={props.columns} rows={list.rows} keyOf={props.keyOf} />
      )}
      {list.hasNextPage && (
        <p className="c-more">
          <button
            type="button"
            className="quiet"
            aria-disabled={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            {list.isFetchingNextPage ? 'Loading more' : 'More'}
          </button>
        </p>
      )}
    </>
  )
}

/** Says that what is on show could not be brought up to date. */
export function Stale(props: { problem: unknown }): ReactNode {
  return (
    <p className="c-stale" role="alert">
      Not up to date: {wordsOf(props.problem)}
    </p>
  )
}

/** An answer with its states: what it holds once there is one. */
export function Answered<T>(props: {
  answer: { data: T | undefined; error: unknown; refetch: () => unknown }
  children: (data: T) => ReactNode
}): ReactNode {
  const { data, error, refetch } = props.answer
  if (data === undefined) {
    return error ? <Failed problem={error} again={() => void refetch()} /> : <Loading />
  }
  return (
    <>
      {error ? <Stale problem={error} /> : null}
      {props.children(data)}
    </>
  )
}

/** Stands in a card where a list has nothing. */
export function Nothing(props: { title: string; children?: ReactNode }): ReactNode {
  return <Empty title={props.title}>{props.children}</Empty>
}
