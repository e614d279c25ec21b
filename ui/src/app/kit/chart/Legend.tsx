import type { ReactNode } from 'react'
import type { ColouredSeries } from './spec'

/** The names of the series by their colours; a press hides one or shows it again. */
export function Legend(props: {
  series: readonly ColouredSeries[]
  off: ReadonlySet<string>
  toggle: (name: string) => void
}): ReactNode {
  return (
    <ul className="chart-legend" aria-label="Series">
      {props.series.map(({ name, colour }) => (
        <li key={name}>
          <button
            type="button"
            aria-pressed={!props.off.has(name)}
            onClick={() => props.toggle(name)}
          >
            <span className="chart-swatch" data-colour={colour} aria-hidden="true" />
            {name}
          </button>
        </li>
      ))}
    </ul>
  )
}
