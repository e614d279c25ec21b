import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { Choice, Typed } from '../kit/fields'
import type { Filter } from './api'
import { priorities, statuses, types } from './model'
import { capital, statusWord } from './words'

/** Tabs of statuses, and fields that narrow the list down further. */
export function Filters(props: {
  filter: Filter
  change: (more: Partial<Filter>) => void
  hrefWith: (more: Partial<Filter>) => string
}): ReactNode {
  const { filter, change, hrefWith } = props
  const tab = (status: string, label: string) => (
    <Link
      key={status}
      href={hrefWith({ status })}
      aria-current={filter.status === status ? 'true' : undefined}
    >
      {label}
    </Link>
  )
  return (
    <>
      <nav className="tabs" aria-label="Status">
        {tab('', 'All')}
        {statuses.map(status => tab(status, statusWord(status)))}
      </nav>
      <search className="filters">
        <Typed label="Search" value={filter.q} most={100} change={q => change({ q })} />
        <Choice
          label="Type"
          value={filter.type}
          from={choices(types)}
          change={type => change({ type })}
        />
        <Choice
          label="Priority"
          value={filter.priority}
          from={choices(priorities)}
          change={priority => change({ priority })}
        />
        <Typed
          label="Category"
          value={filter.category}
          most={100}
          change={category => change({ category })}
        />
      </search>
    </>
  )
}

const choices = (values: readonly string[]) =>
  values.map(value => ({ value, label: capital(value) }))
