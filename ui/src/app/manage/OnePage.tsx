import { type ReactNode, useState } from 'react'
import { Refusal } from '../../request'
import { Empty, Failed, Loading } from '../kit/States'
import { usePageTitle } from '../kit/title'
import { Compose } from './Compose'
import { Detail } from './Detail'
import { useOne } from './queries'
import { isOpen } from './steps'

/** A notification at its own address: its form while it can be changed. */
export function OnePage(props: { id: string }): ReactNode {
  const one = useOne(props.id)
  // What somebody is typing stays when it goes out meanwhile.
  const [held, setHeld] = useState(false)
  if (one.data === undefined) {
    if (one.isPending) return <Loading />
    if (one.error instanceof Refusal && one.error.status === 404) return <Gone />
    return <Failed problem={one.error} again={() => void one.refetch()} />
  }
  if (held || isOpen(one.data)) return <Compose base={one.data} onHold={setHeld} />
  return <Detail one={one.data} />
}

function Gone(): ReactNode {
  usePageTitle('Not found')
  return <Empty title="There is no such notification">It may have been deleted.</Empty>
}
