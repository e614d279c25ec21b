import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'

const Context = createContext<(text: string) => void>(() => {})

const shown = 8000 // ms

/** Says what was done, also after the page has changed. */
export function NoticeProvider(props: { children: ReactNode }): ReactNode {
  const [notice, setNotice] = useState({ text: '' })
  useEffect(() => {
    if (notice.text === '') return
    const timer = window.setTimeout(() => setNotice({ text: '' }), shown)
    return () => window.clearTimeout(timer)
  }, [notice])
  return (
    <Context.Provider value={text => setNotice({ text })}>
      <p role="status" className="manage-notice">
        {notice.text}
      </p>
      {props.children}
    </Context.Provider>
  )
}

/** A function that shows a sentence for some seconds. */
export function useNotice(): (text: string) => void {
  return useContext(Context)
}
