import type { ReactNode } from 'react'
import { Failed, Loading } from '../kit/States'
import { useRoles } from './queries'
import { people } from './words'

/** Boxes for the roles that there are, and for those chosen that nobody has now. */
export function RolePicker(props: {
  chosen: readonly string[]
  change: (roles: readonly string[]) => void
}): ReactNode {
  const { chosen, change } = props
  const roles = useRoles()
  if (roles.isPending) return <Loading />
  if (roles.isError) return <Failed problem={roles.error} again={() => void roles.refetch()} />
  const missing = chosen.filter(role => !roles.data.some(known => known.role === role))
  const all = [...roles.data, ...missing.map(role => ({ role, users: 0 }))]
  if (all.length === 0) {
    return <p className="muted">Nobody has a role yet. Give one with belfry user:role.</p>
  }
  return (
    <div className="choices boxed">
      {all.map(({ role, users }) => (
        <label key={role} className="check">
          <input
            type="checkbox"
            checked={chosen.includes(role)}
            onChange={event =>
              change(event.target.checked ? [...chosen, role] : chosen.filter(one => one !== role))
            }
          />
          <span>
            {role} <small className="muted">{people(users)}</small>
          </span>
        </label>
      ))}
    </div>
  )
}
