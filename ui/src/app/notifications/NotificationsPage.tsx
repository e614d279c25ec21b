import type { ReactNode } from 'react'
import { Empty } from '../kit/States'
import { usePageTitle } from '../kit/title'

export default function NotificationsPage(): ReactNode {
  usePageTitle('Notifications')
  return <Empty title="Notifications" />
}
