import { createContext, type ReactNode, useContext, useState } from 'react'

const Context = createContext<(words: string) => void>(() => {})

/** Holds the line that says what was done. */
export function SaidProvider(props: { children: ReactNode }): ReactNode {
  const [said, setSaid] = useState({ words: '', n: 0 })
  const say = (words: string) => setSaid(({ n }) => ({ words, n: n + 1 }))
  return (
    <Context.Provider value={say}>
      <p className="c-said" role="status">
        {said.words !== '' && (
          <span key={said.n}>
            {said.words}{' '}
            <button type="button" className="quiet" onClick={() => say('')}>
              Good
            </button>
          </span>
        )}
      </p>
      {props.children}
    </Context.Provider>
  )
}

/** Says what was done. */
export function useSay(): (words: string) => void {
  return useContext(Context)
}
