import type { ReactNode } from 'react'
import { inWords } from './labels'
import type { ChartSpec } from './spec'

/** All values of a chart as a table. */
export function Values(props: { spec: ChartSpec }): ReactNode {
  const { title, unit, times, series, labels } = props.spec
  return (
    <table className="plain">
      <caption className="offscreen">{unit === '' ? title : `${title}, ${unit}`}</caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          {series.map(({ name }) => (
            <th key={name} scope="col" className="number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {times.map((time, index) => (
          <tr key={time}>
            <th scope="row">{labels.whole(time)}</th>
            {series.map(({ name, values }) => (
              <td key={name} className="number">
                {inWords(values[index])}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
