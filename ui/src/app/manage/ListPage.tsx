import { type ReactNode, useState } from 'react'
import { Link } from 'wouter'
import { Empty, Failed, Loading } from '../kit/States'
import { usePageTitle } from '../kit/title'
import { Filters } from './Filters'
import type { Managed } from './model'
import { useList } from './queries'
import { Row } from './Row'
import { StepDialog } from './StepDialog'
import type { Step } from './steps'
import { useFilter } from './useFilter'

/** All notifications, newest first. */
export function ListPage(): ReactNode {
  usePageTitle('Manage notifications')
  const { filter, change, hrefWith } = useFilter()
  const [asked, setAsked] = useState<{ step: Step; one: Managed }>()
  const found = useList(filter)
  const all = found.data?.pages.flatMap(page => page.notifications) ?? []
  const narrowed = Object.values(filter).some(value => value !== '')
  return (
    <>
      <h1 className="offscreen">Manage notifications</h1>
      <Filters filter={filter} change={change} hrefWith={hrefWith} />
      {found.isPending && <Loading />}
      {found.isError && <Failed problem={found.error} again={() => void found.refetch()} />}
      {found.isSuccess && all.length === 0 && <None narrowed={narrowed} />}
      {all.length > 0 && (
        <ul className="rows" aria-busy={found.isPlaceholderData}>
          {all.map(one => (
            <Row key={one.id} one={one} ask={step => setAsked({ step, one })} />
          ))}
        </ul>
      )}
      {found.hasNextPage && (
        <p className="more">
          <button
            type="button"
            className="quiet"
            aria-disabled={found.isFetchingNextPage}
            onClick={() => {
              if (!found.isFetchingNextPage) void found.fetchNextPage()
            }}
          >
            Show more
          </button>
        </p>
      )}
      {asked && <StepDialog {...asked} onClose={() => setAsked(undefined)} />}
    </>
  )
}

function None(props: { narrowed: boolean }): ReactNode {
  if (props.narrowed) {
    return (
      <Empty title="Nothing fits" action={<Link href="">Show all</Link>}>
        No notification fits the filters.
      </Empty>
    )
  }
  return (
    <Empty
      title="No notifications yet"
      action={
        <Link href="/new" className="button">
          Write the first one
        </Link>
      }
    >
      What you send appears in the bells of those it is for, within a second.
    </Empty>
  )
}
