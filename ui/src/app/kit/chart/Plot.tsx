import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from 'react'
import uPlot from 'uplot'
import { dataOf, optionsOf, paintOf } from './options'
import type { ChartSpec, ColouredSeries } from './spec'
import { type Spot, spoken, Tooltip } from './Tooltip'
import { useScheme } from './useScheme'

/** The plot itself, and what it says where the pointer or the keys are. */
export default function Plot(props: {
  spec: ChartSpec
  shown: readonly ColouredSeries[]
}): ReactNode {
  const { spec, shown } = props
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const latest = useRef(spec)
  latest.current = spec
  const [spot, setSpot] = useState<Spot>()
  const [said, setSaid] = useState('')
  const scheme = useScheme()
  const { kind, stacked, timeZone, height } = spec
  // Other values are drawn into the same plot, other series need another one.
  const shape = JSON.stringify([
    kind,
    stacked,
    timeZone,
    height,
    scheme,
    shown.map(({ name, colour }) => [name, colour]),
  ])

  // biome-ignore lint/correctness/useExhaustiveDependencies: shape stands for all that is drawn
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const options = optionsOf(
      { width: element.clientWidth, height },
      shown,
      paintOf(element),
      () => latest.current,
      { setCursor: [u => setSpot(spotOf(u))] },
    )
    const made = new uPlot(options, dataOf(spec, shown), element)
    plot.current = made
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height })
    })
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = undefined
      setSpot(undefined)
    }
  }, [shape])

  useEffect(() => {
    plot.current?.setData(dataOf(spec, shown))
  }, [spec, shown])

  const move = (index: number): void => {
    const u = plot.current
    const last = spec.times.length - 1
    if (u === undefined || last < 0) return
    const at = Math.max(0, Math.min(last, index))
    u.setCursor({ left: u.valToPos(u.data[0][at] ?? 0, 'x'), top: 0 })
    setSaid(spoken(spec, shown, at))
  }

  const onKeyDown = (event: KeyboardEvent): void => {
    const at = spot?.index
    const last = spec.times.length - 1
    const to = {
      ArrowRight: at === undefined ? 0 : at + 1,
      ArrowLeft: at === undefined ? last : at - 1,
      Home: 0,
      End: last,
    }[event.key]
    if (to !== undefined) {
      event.preventDefault()
      move(to)
    } else if (event.key === 'Escape') leave()
  }

  const leave = (): void => {
    plot.current?.setCursor({ left: -10, top: -10 })
    setSaid('')
  }

  return (
    <div className="chart-plot">
      <div
        ref={place}
        className="chart-canvas"
        style={{ minHeight: height }}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys read the values
        tabIndex={0}
        role="application"
        aria-roledescription="chart"
        aria-label={`${spec.title}. The arrow keys read the values.`}
        onKeyDown={onKeyDown}
        onBlur={leave}
      />
      {spot && <Tooltip spec={spec} shown={shown} spot={spot} />}
      <p className="offscreen" role="status">
        {said}
      </p>
    </div>
  )
}

function spotOf(u: uPlot): Spot | undefined {
  const { idx, left = -1 } = u.cursor
  if (idx === null || idx === undefined || left < 0) return undefined
  const x = u.valToPos(u.data[0][idx] ?? 0, 'x') + u.over.offsetLeft
  return { index: idx, left: x, width: u.width }
}
