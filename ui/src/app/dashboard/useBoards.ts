import { useQuery } from '@tanstack/react-query'
import { get, isRecord } from '../../request'
import { useSession } from '../session'

/** A dashboard that whoever looks may see. */
export interface Listed {
  readonly name: string
  readonly title: string
}

/** The dashboards that whoever looks may see; undefined while that is not known. */
export function useBoards(): readonly Listed[] | undefined {
  const { user } = useSession()
  const { data } = useQuery({
    queryKey: ['dashboards', user?.id],
    enabled: user !== undefined,
    queryFn: async ({ signal }) => {
      const { dashboards } = await get('api/dashboards', signal)
      return (Array.isArray(dashboards) ? dashboards : []).filter(isRecord).map(
        ({ name, title }): Listed => ({
          name: String(name),
          title: typeof title === 'string' && title !== '' ? title : String(name),
        }),
      )
    },
  })
  return data
}

/** The path of a dashboard, below that of all of them. */
export function pathOf(name: string): string {
  return name === 'default' ? '/' : `/${encodeURIComponent(name)}`
}
