import type { ReactNode } from 'react'
import { inWords } from './labels'
import type { ChartSpec, ColouredSeries } from './spec'

/** Where the pointer or the keys are. */
export interface Spot {
  readonly index: number
  /** Of the time, in pixels from the left of the chart. */
  readonly left: number
  readonly width: number
}

/** The values at one time, beside it on the side that has room. */
export function Tooltip(props: {
  spec: ChartSpec
  shown: readonly ColouredSeries[]
  spot: Spot
}): ReactNode {
  const { spec, shown, spot } = props
  const time = spec.times[spot.index]
  if (time === undefined) return null
  const before = spot.left > spot.width / 2
  return (
    <div
      className="chart-tooltip"
      aria-hidden="true"
      style={before ? { right: spot.width - spot.left + 12 } : { left: spot.left + 12 }}
    >
      <strong>{spec.labels.whole(time)}</strong>
      <dl>
        {/* The uppermost part of a stack stands first. */}
        {(spec.stacked ? [...shown].reverse() : shown).map(({ name, colour, values }) => (
          <div key={name}>
            <dt>
              <span className="chart-swatch" data-colour={colour} />
              {name}
            </dt>
            <dd>{inWords(values[spot.index])}</dd>
          </div>
        ))}
        {spec.stacked && shown.length > 1 && (
          <div className="chart-total">
            <dt>Total</dt>
            <dd>{inWords(total(shown, spot.index))}</dd>
          </div>
        )}
      </dl>
      {spec.unit !== '' && <small>{spec.unit}</small>}
    </div>
  )
}

/** The same as a sentence, for screen readers. */
export function spoken(spec: ChartSpec, shown: readonly ColouredSeries[], index: number): string {
  const time = spec.times[index]
  if (time === undefined) return ''
  const parts = shown.map(({ name, values }) => `${name} ${inWords(values[index])}`)
  if (spec.stacked && shown.length > 1) parts.push(`total ${inWords(total(shown, index))}`)
  return `${spec.labels.whole(time)}: ${parts.join(', ')}`
}

function total(shown: readonly ColouredSeries[], index: number): number {
  return shown.reduce((sum, { values }) => sum + (values[index] ?? 0), 0)
}
