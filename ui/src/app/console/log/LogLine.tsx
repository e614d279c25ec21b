import { memo, type ReactNode } from 'react'
import type { Entry } from '../model'
import { clockOf } from '../parts/words'
import { detailOf, subjectOf, toneOf, wordOf } from './words'

/** One entry of the log, on one line where there is room. */
export const LogLine = memo(function LogLine(props: { entry: Entry }): ReactNode {
  const { entry } = props
  const { main, on } = subjectOf(entry)
  return (
    <span className="c-line">
      <time dateTime={entry.at}>{clockOf(entry.at)}</time>
      <span className={`badge ${toneOf(entry)}`}>{wordOf(entry.what)}</span>
      <span className="c-line-subject">
        <span>{main}</span>
        {on !== '' && <span className="muted"> {on}</span>}
      </span>
      <span className="c-line-detail">{detailOf(entry)}</span>
    </span>
  )
})
